package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

const headingID = "page-title"

// heading is the one h1 of a page; the keyboard is moved to it on navigation.
func heading(text string) app.UI {
	return app.H1().ID(headingID).TabIndex(-1).Text(text)
}

// when draws f if condition holds; go-app leaves out what is nil.
func when(condition bool, f func() app.UI) app.UI {
	if !condition {
		return nil
	}
	return f()
}

// bones stands for n lines not known yet.
func bones(n int) app.UI {
	lines := make([]app.UI, n)
	for i := range lines {
		lines[i] = app.Div().Class("bone line")
	}
	return app.Div().Class("bones").Body(append(lines, app.Span().Class("aside").Text("Loading"))...)
}

// outcome is the place of a Notice. It is there before it says anything, or a
// screen reader would not hear it begin.
func outcome(id string, n Notice) app.UI {
	box := app.P().ID(id).TabIndex(-1).Text(n.Text)
	switch {
	case n.Text == "":
		return box.Class("notice empty").Role("status")
	case n.Bad:
		return box.Class("notice bad").Role("alert")
	}
	return box.Class("notice good").Role("status")
}

// gate is what a page for signed-in users shows instead of its content; nil
// when it may show it. purpose completes "Sign in to".
func gate(session Session, here, purpose string) app.UI {
	if session.Shows() {
		return nil
	}
	switch session.State {
	case SignedOut:
		return app.Section().Class("ticket gate").Body(
			icon(iconTicket),
			app.H2().Text("Nobody has handed in a coat here"),
			app.P().Text("Sign in to "+purpose+". You come back to this page."),
			app.A().Class("button").Href(loginURL(here)).OnClick(leave).Text("Sign in"),
		)
	case Expired:
		return app.Section().Class("ticket gate").Body(
			icon(iconClock),
			app.H2().Text("Your session ended"),
			app.P().Text("The ticket is no longer good. Sign in again and you come back here."),
			app.A().Class("button").Href(loginURL(here)).OnClick(leave).Text("Sign in again"),
		)
	case Down:
		return app.Section().Class("ticket gate").Body(
			icon(iconBell),
			app.H2().Text("The counter does not answer"),
			&downNotice{Session: session},
		)
	}
	return app.Section().Class("card").Body(bones(4))
}

// downNotice says what a silent server means for the user, and tries again.
type downNotice struct {
	app.Compo
	Session Session
}

func (d *downNotice) Render() app.UI {
	kept := "If you were signed in, you still are: your ticket is kept."
	if d.Session.Known() {
		kept = "You are still signed in: your ticket is kept."
	}
	return app.Div().Class("down").Body(
		app.P().Body(app.Strong().Text(d.Session.Failure.Sentence()), app.Text(" "+kept)),
		app.P().Class("again").Body(
			app.Button().Type("button").Class("button small").Text("Try again now").OnClick(d.retry),
			app.Span().Class("soft").Body(app.Text("or wait: next try in "), &countdown{Until: d.Session.RetryAt.Unix()}),
		),
		when(d.Session.Failure.ID != "", func() app.UI {
			return app.P().Class("soft fine").Body(app.Text("If you ask for help, name this: "), app.Code().Text(d.Session.Failure.ID))
		}),
	)
}

func (d *downNotice) retry(ctx app.Context, _ app.Event) { ctx.NewAction(actRecheck) }

func notFound() app.UI {
	return app.Div().Class("page narrow").Body(
		app.Section().Class("ticket gate").Body(
			app.P().Class("number").Text("No. 404"),
			heading("There is nothing on this hook"),
			app.P().Text("The address leads nowhere: mistyped, or the page has moved."),
			app.A().Class("button").Href(pathHome).Text("To the start page"),
		),
	)
}
