package ui

import (
	"fmt"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

const svgNS = "http://www.w3.org/2000/svg"

func svg(tag string) app.HTMLElem { return app.Elem(tag).XMLNS(svgNS) }

// drawing is a picture as SVG. Each edge and each box has its place whatever
// happens, so that nothing but what changed is touched.
func drawing(p Picture, class, label string) app.UI {
	var body []app.UI
	for _, e := range p.Edges {
		hop := e.Hop
		if hop == "" {
			hop = "hop idle"
		}
		body = append(body,
			svg("g").Body(
				svg("path").Class(e.Class).Attr("d", e.Path),
				svg("path").Class(hop).Attr("d", e.HopPath).Attr("pathLength", "1"),
			))
	}
	for _, b := range p.Boxes {
		body = append(body, boxOf(b))
	}
	for _, e := range p.Edges { // above all, so that they can be read
		body = append(body, svg("text").Class("edge-label").Attr("x", e.X).Attr("y", e.Y).Text(e.Label))
	}
	return svg("svg").Class("topology "+class).Attr("viewBox", fmt.Sprintf("0 0 %d %d", pictureWidth, p.Height)).
		Attr("role", "img").Aria("label", label).Body(body...)
}

func boxOf(b Party) app.UI {
	y := b.Y + 24
	body := []app.UI{
		svg("rect").Class("party").Attr("x", b.X).Attr("y", b.Y).Attr("width", b.W).Attr("height", b.H).Attr("rx", "10"),
		svg("text").Class("party-name").Attr("x", b.mid()).Attr("y", y).Text(b.Name),
	}
	for i := range 2 {
		note := ""
		if i < len(b.Notes) && (i == 0 || b.W > 76) {
			note = b.Notes[i]
		}
		y += 19
		body = append(body, svg("text").Class("party-note").Attr("x", b.mid()).Attr("y", y).Text(note))
	}
	return svg("g").Class("box-" + b.Class).Body(append(body, holding(b))...)
}

// holding is what of the session is in a box: a ticket is a shape of its own.
func holding(b Party) app.UI {
	const h = 26
	w, text := 78, b.Coat
	if b.W < w+8 {
		w, text = b.W-8, ""
	}
	x, y := b.mid()-w/2, b.Y+b.H-h-8
	if b.Coat == "" {
		return svg("g").Class("no-coat")
	}
	return svg("g").Class("coat-"+b.Coat).Body(
		svg("rect").Attr("x", x).Attr("y", y).Attr("width", w).Attr("height", h).Attr("rx", "6"),
		svg("text").Attr("x", b.mid()).Attr("y", y+18).Text(text),
	)
}
