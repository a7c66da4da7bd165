package ui

import "github.com/maxence-charriere/go-app/v10/pkg/app"

// RenderShell is the whole of a page in a state, as HTML.
func RenderShell(page string, s Session) string {
	sh := newShell(page, nil)
	sh.session = s
	return app.HTMLString(sh)
}

// RenderFindings is the inspector's left side for what was found.
func RenderFindings(f Findings) string {
	return app.HTMLString(&inspector{scan: Ready, found: f, Session: Session{State: SignedOut}})
}
