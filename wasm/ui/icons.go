package ui

import "github.com/maxence-charriere/go-app/v10/pkg/app"

// Icons, drawn for this project on a grid of 24. They are constants: nothing
// that comes from outside is ever drawn unescaped.
const (
	iconOpen   = `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">`
	iconTicket = iconOpen + `<path d="M4 6h16a1 1 0 0 1 1 1v2.6a2.4 2.4 0 0 0 0 4.8V17a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-2.6a2.4 2.4 0 0 0 0-4.8V7a1 1 0 0 1 1-1z"/><path d="M15 6v12" stroke-dasharray="2 2"/></svg>`
	iconHanger = iconOpen + `<path d="M10 6.5a2 2 0 1 1 2.7 1.9c-.5.2-.7.6-.7 1.1v.7l8.6 5.2c1 .6.6 2.1-.6 2.1H4c-1.2 0-1.6-1.5-.6-2.1L12 10.2"/></svg>`
	iconBell   = iconOpen + `<path d="M4 17h16M6 17a6 6 0 0 1 12 0M12 11V8.5M10.5 8.5h3M3 20h18"/></svg>`
	iconClock  = iconOpen + `<circle cx="12" cy="12" r="8.5"/><path d="M12 7.5V12l3 2"/></svg>`
	iconEye    = iconOpen + `<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z"/><circle cx="12" cy="12" r="2.8"/></svg>`
)

func icon(drawing string) app.UI { return app.Raw(drawing) }
