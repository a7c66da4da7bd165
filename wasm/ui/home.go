package ui

import (
	_ "embed"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

//go:embed flow.svg
var flowPicture string

// home says what this is, in few words and one picture.
type home struct {
	app.Compo
	Session Session
}

func (h *home) Render() app.UI {
	return app.Div().Class("page").Body(
		app.Section().Class("hero").Body(
			app.Div().Class("pitch").Body(
				heading("Your browser holds a ticket. The tokens stay behind the counter."),
				app.P().Class("lead").Text("You sign in; the cloakroom keeps what your identity provider handed out and gives this page a ticket: "+
					"one random number, in a cookie no script can read."),
				app.Div().Class("ways").Body(h.ways()...),
			),
			app.Figure().Class("picture").Body(
				app.Raw(flowPicture),
				app.FigCaption().Class("aside").Text("The browser shows its ticket to the cloakroom. The cloakroom takes the token "+
					"from its rail and passes it to the API. The identity provider gives tokens to the cloakroom only."),
			),
		),
		app.Ol().Class("steps").Body(
			step(iconHanger, "Hand in the coat", "Signing in is a visit to your provider. The tokens it hands out go to the server, not to this page."),
			step(iconTicket, "Keep the ticket", "The cookie is random, HttpOnly and bound to this host. It opens nothing but this counter."),
			step(iconBell, "Ring for service", "Every call shows the ticket. The server attaches the token, and renews it when it runs out."),
		),
	)
}

// ways are what to do next, which depends on who is there.
func (h *home) ways() []app.UI {
	see := app.A().Class("button quiet").Href(pathInspector).Text("What can this page see?")
	switch h.Session.State {
	case Unknown:
		return []app.UI{app.Span().Class("button bone").Body(app.Span().Class("aside").Text("Asking who is there")), see}
	case SignedIn:
		return []app.UI{
			app.P().Class("greeting").Text("Good to see you, " + h.Session.User.Name + "."),
			app.A().Class("button").Href(pathOrders).Text("To your orders"), see,
		}
	case Expired:
		return []app.UI{
			app.P().Class("greeting").Text("Your session ended."),
			app.A().Class("button").Href(loginURL(pathHome)).OnClick(leave).Text("Sign in again"), see,
		}
	case Down:
		if h.Session.Known() { // the banner above says what is wrong
			return []app.UI{app.A().Class("button").Href(pathOrders).Text("To your orders"), see}
		}
		return []app.UI{&downNotice{Session: h.Session}, see}
	}
	return []app.UI{
		app.A().Class("button").Href(loginURL(pathHome)).OnClick(leave).Text("Sign in"), see,
		app.P().Class("soft fine").Text("In the demo, the sign-in page names two users to try."),
	}
}

func step(name, title, text string) app.UI {
	return app.Li().Class("card step").Body(icon(name), app.H2().Text(title), app.P().Text(text))
}
