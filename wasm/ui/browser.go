package ui

import (
	"net/url"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// leave lets a link be followed by the browser itself. go-app routes every
// link of this origin to a component; what belongs to the BFF is a navigation.
func leave(_ app.Context, e app.Event) { e.StopImmediatePropagation() }

// here is the address of the open page as a path with its query.
func here() string {
	u := app.Window().URL()
	local := url.URL{Path: u.Path, RawQuery: u.RawQuery}
	return local.RequestURI()
}

// origin is that of the open page.
func origin() string { return app.Window().Get("location").Get("origin").String() }

// focus moves the keyboard and the screen reader to an element, once drawn.
func focus(ctx app.Context, id string) {
	ctx.Defer(func(app.Context) {
		if element := app.Window().GetElementByID(id); element.Truthy() {
			element.Call("focus")
		}
	})
}

// typed is the text of the field an event came from.
func typed(ctx app.Context) string { return ctx.JSSrc().Get("value").String() }

// setField writes a field's text. An attribute would not do: once a person has
// typed, a browser no longer looks at it.
func setField(ctx app.Context, id, value string) {
	ctx.Defer(func(app.Context) {
		if field := app.Window().GetElementByID(id); field.Truthy() {
			field.Set("value", value)
		}
	})
}

// visible reports whether the tab is seen.
func visible() bool {
	return app.Window().Get("document").Get("visibilityState").String() == "visible"
}

// onVisible calls f whenever the tab comes to the front, until stop is called.
func onVisible(f func()) (stop func()) {
	document := app.Window().Get("document")
	listener := app.FuncOf(func(app.Value, []app.Value) any {
		if visible() {
			f()
		}
		return nil
	})
	document.Call("addEventListener", "visibilitychange", listener)
	return func() {
		document.Call("removeEventListener", "visibilitychange", listener)
		listener.Release()
	}
}
