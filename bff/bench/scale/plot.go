package main

import (
	"fmt"
	"strings"
)

// plotBusy draws p99 by utilisation, and where the ceilings are. It is readable
// on light and dark pages.
func plotBusy(list []busy, c ceilings) string {
	const (
		left, top, width, height = 44, 16, 520, 240
		highest                  = 10
	)
	x := func(u float64) float64 { return left + width*u }
	y := func(p99 float64) float64 { return top + height*(1-p99/highest) }
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 300" font-family="system-ui, sans-serif" font-size="12" role="img">`)
	line(`<title>p99 by utilisation, in times of an idle one's</title>`)
	line(`<style>text{fill:#333}.grid{stroke:#ccc}.a{stroke:#0969da}.b{stroke:#cf222e}.c{stroke:#1a7f37}.a,.b,.c{fill:none;stroke-width:2}.limit{stroke:#888;stroke-dasharray:4 4}`)
	line(`.ta{fill:#0969da}.tb{fill:#cf222e}.tc{fill:#1a7f37}`)
	line(`@media (prefers-color-scheme: dark){text{fill:#ccc}.grid{stroke:#444}.a{stroke:#58a6ff}.b{stroke:#ff7b72}.c{stroke:#3fb950}.ta{fill:#58a6ff}.tb{fill:#ff7b72}.tc{fill:#3fb950}}</style>`)
	for p := 0; p <= highest; p += 2 {
		line(`<line class="grid" x1="%d" x2="%d" y1="%.0f" y2="%.0f"/><text x="%d" y="%.0f" text-anchor="end">%d</text>`, left, left+width, y(float64(p)), y(float64(p)), left-6, y(float64(p))+4, p)
	}
	for u := 0; u <= 100; u += 20 {
		line(`<text x="%.0f" y="%d" text-anchor="middle">%d %%</text>`, x(float64(u)/100), top+height+18, u)
	}
	line(`<text x="%d" y="%d" text-anchor="middle">busy</text>`, left+width/2, top+height+34)
	curve := func(class string, of func(busy) float64) {
		var points []string
		for _, one := range list {
			if v := of(one); v > 0 && v <= highest {
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(one.Utilisation), y(v)))
			}
		}
		line(`<polyline class="%s" points="%s"/>`, class, strings.Join(points, " "))
	}
	curve("a", func(b busy) float64 { return b.Instance })
	curve("b", func(b busy) float64 { return b.AThirdGone })
	curve("c", func(b busy) float64 { return b.Shard })
	for _, u := range []float64{c.Instance, c.Store} {
		line(`<line class="limit" x1="%.0f" x2="%.0f" y1="%d" y2="%d"/>`, x(u), x(u), top, top+height)
	}
	for i, text := range []string{"an instance", "an instance, a third of them gone", "a Redis shard"} {
		line(`<text class="t%c" x="%d" y="%d">%s</text>`, 'a'+i, left+12, top+16+18*i, text)
	}
	line(`</svg>`)
	return b.String()
}
