package ui

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
)

// inspector answers "what can this page see?" by looking, next to what the
// server holds.
type inspector struct {
	app.Compo
	Session Session
	Here    string

	client   Client
	held     holdings
	scan     Phase
	scanning bool
	found    Findings
	broken   string
	at       time.Time
}

func (i *inspector) OnMount(ctx app.Context) {
	i.look(ctx)
	i.held.read(ctx, i.client, i.Session)
}

func (i *inspector) OnUpdate(ctx app.Context) { i.held.read(ctx, i.client, i.Session) }

// again looks at both sides anew.
func (i *inspector) again(ctx app.Context, _ app.Event) {
	i.look(ctx)
	i.held.asked = false
	i.held.read(ctx, i.client, i.Session)
}

// look runs the probe that came with the page. It searches in JavaScript and
// reports tokens cut short: read into this program whole, they would be found
// in its memory next time.
func (i *inspector) look(ctx app.Context) {
	probe := app.Window().Get("cloakroomProbe")
	if i.scanning {
		return
	}
	if !probe.Truthy() {
		i.scan, i.broken = Failed, "The part that looks around did not load."
		return
	}
	i.scanning = true
	breathe := app.FuncOf(func(app.Value, []app.Value) any { return nil })
	probe.Invoke(breathe).Then(func(report app.Value) {
		text := report.String()
		breathe.Release()
		ctx.Dispatch(func(ctx app.Context) {
			i.scanning, i.at = false, time.Now()
			found, err := ReadFindings(text)
			if err != nil {
				i.scan, i.broken = Failed, "What was found could not be read."
				return
			}
			i.scan, i.found = Ready, found
			ctx.NewActionWithValue(actSay, found.Verdict())
		})
	})
}

func (i *inspector) Render() app.UI {
	again := app.Button().ID("scan-again").Type("button").Class("button").OnClick(i.again)
	switch {
	case i.scanning:
		again = again.Text("Looking…").Aria("disabled", "true")
	case i.scan == Loading: // nothing runs yet
		again = again.Text("Scan again").Disabled(true)
	default:
		again = again.Text("Scan again")
	}
	return app.Div().Class("page").Body(
		app.Div().Class("page-head").Body(
			app.Div().Body(
				heading("What can this page see?"),
				app.P().Class("lead").Text("Everything a script can read here, read just now. And what the cloakroom holds for you, out of reach of any script."),
			),
			again,
		),
		app.Div().Class("columns even").Body(i.left(), i.right()),
	)
}

func (i *inspector) left() app.UI {
	body := []app.UI{app.H2().Body(icon(iconEye), app.Text("In reach of script"))}
	switch i.scan {
	case Loading:
		body = append(body, bones(8))
	case Failed:
		body = append(body, app.P().Class("notice bad").Role("alert").Text(i.broken))
	case Ready:
		body = append(body, i.verdict(), app.Ul().Class("sources").Body(
			app.Range(i.found.Sources).Slice(func(n int) app.UI { return source(i.found.Sources[n]) })))
	}
	return app.Section().ID("reach").Class("card side").Body(body...)
}

func (i *inspector) verdict() app.UI {
	class := "verdict calm"
	if i.found.Tokens() > 0 {
		class = "verdict alarm"
	}
	return app.Div().Class(class).DataSet("tokens", i.found.Tokens()).Body(
		app.P().Class("big").Text(Number(i.found.Tokens())),
		app.Div().Body(
			app.P().Class("strong").Text(i.found.Verdict()),
			app.P().Class("soft fine").Text("Read at "+i.at.Local().Format("15:04:05")+" in "+Number(i.found.Millis)+" ms."),
		),
	)
}

// source is one place: how it was read, how much was there, and all of it.
func source(s Source) app.UI {
	class, badge := "source", "no token"
	switch {
	case len(s.Tokens) > 0:
		class, badge = "source alarm", Count(len(s.Tokens), "token")
	case s.Failed:
		class, badge = "source faint", "not read"
	case s.Note != "" && s.Count == 0:
		badge = "nothing"
	}
	return app.Li().Class(class).DataSet("source", s.ID).Body(
		app.Details().Body(
			app.Summary().Body(
				app.Span().Class("what").Body(app.Strong().Text(s.Title()), app.Code().Text(s.How())),
				app.Span().Class("amount soft").Text(s.Amount()),
				app.Span().Class("badge").Text(badge),
			),
			app.Div().Class("contents").Body(contents(s)...),
		),
		when(len(s.Tokens) > 0, func() app.UI {
			return app.Ul().Class("tokens").Body(app.Range(s.Tokens).Slice(func(i int) app.UI { return found(s.Tokens[i]) }))
		}),
	)
}

func contents(s Source) []app.UI {
	var body []app.UI
	if s.Note != "" {
		body = append(body, app.P().Class("soft fine").Text(s.Note))
	}
	switch {
	case s.ID == "memory":
		body = append(body, app.P().Class("soft fine").Text("Every byte of the program's linear memory was searched for signed and sealed tokens."))
	case len(s.Items) == 0:
		body = append(body, app.P().Class("soft fine").Text("Nothing is stored here."))
	default:
		body = append(body, app.Dl().Class("entries").Body(app.Range(s.Items).Slice(func(i int) app.UI {
			item := s.Items[i]
			return app.Div().Body(app.Dt().Text(item.Name), app.Dd().Text(orNothing(item.Value)))
		})))
	}
	if more := s.Count - len(s.Items); more > 0 && s.ID != "memory" {
		body = append(body, app.P().Class("soft fine").Text("and "+Number(more)+" more, searched but not shown"))
	}
	return body
}

func orNothing(text string) string {
	if text == "" {
		return "(empty)"
	}
	return text
}

func found(f Found) app.UI {
	return app.Li().Body(
		app.Code().Text(f.Stub),
		app.Span().Class("fine").Text(f.Alg+", "+Size(f.Bytes)+copies(f.Copies)),
		when(f.Claims != "", func() app.UI { return app.P().Class("fine claims").Text(f.Claims) }),
	)
}

func copies(n int) string {
	if n < 2 {
		return ""
	}
	return ", " + Number(n) + " copies"
}

func (i *inspector) right() app.UI {
	body := []app.UI{app.H2().Body(icon(iconHanger), app.Text("Behind the counter"))}
	if i.Session.State == Unknown {
		return app.Section().ID("held").Class("card side").Body(append(body, bones(8))...)
	}
	if closed := gate(i.Session, i.Here, "see what the cloakroom holds for you"); closed != nil {
		return app.Section().ID("held").Class("card side").Body(append(body, closed)...)
	}
	if stand := i.held.unready(); stand != nil {
		return app.Section().ID("held").Class("card side").Body(append(body, stand)...)
	}
	held := i.held.facts
	body = append(body,
		app.Div().Class("verdict kept").Body(
			app.P().Class("big").Text(Number(len(held.Tokens))),
			app.Div().Body(
				app.P().Class("strong").Text(Count(len(held.Tokens), "token")+" on the rail, out of this page's reach."),
				app.P().Class("soft fine").Text("A fingerprint shows when a token changes. It opens nothing."),
			),
		),
		app.Ul().Class("coats").Body(app.Range(held.Tokens).Slice(func(n int) app.UI { return coat(held.Tokens[n]) })),
		app.H3().Text("The ticket's record"),
		sessionFacts(held.Session, fact{"Ends at the latest", Moment(held.Session.AbsoluteExpires)}),
	)
	return app.Section().ID("held").Class("card side").Body(body...)
}

func coat(t shared.TokenFacts) app.UI {
	return app.Li().Class("coat").DataSet("kind", t.Kind).Body(
		icon(iconHanger),
		app.Div().Body(
			app.P().Class("strong").Text(kindName(t.Kind)),
			app.P().Class("fine soft").Body(app.Code().Text(t.Fingerprint), app.Text(" · "+Size(t.Bytes))),
			when(t.Further(), func() app.UI { return app.P().Class("fine soft").Text("For " + purpose(t)) }),
			app.P().Class("fine soft").Body(use(t)...),
		),
	)
}

// use is what a token is good for, and for how long.
func use(t shared.TokenFacts) []app.UI {
	switch {
	case t.Kind == shared.TokenID: // proves a sign-in, once; its end matters to nobody afterwards
		return []app.UI{app.Text("Proof of the sign-in. It opens no API.")}
	case t.Expires == 0:
		return []app.UI{app.Text("Good for: as long as the provider lets it")}
	}
	over := "expired"
	if t.Kind == shared.TokenAccess {
		over = "expired, renewed with the next call"
	}
	return []app.UI{app.Text("Good for: "), &countdown{Until: t.Expires, Over: over}}
}
