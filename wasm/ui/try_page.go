package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared/lab"
)

// tryPage makes an attack in the user's own browser, in a window of its own, and
// shows what happens. Nobody has to be signed in here.
type tryPage struct {
	app.Compo
	Here string

	client Client
	model  Try
	asked  string // the address whose order was taken
	hears  bool   // a run is being followed
}

// actTry carries work from a button to the page, as actOrders does.
const actTry = "cloakroom/try"

const tryNoticeID = "try-notice"

func (p *tryPage) post(ctx app.Context, work func(app.Context)) {
	ctx.NewActionWithValue(actTry, work)
}

func (p *tryPage) OnMount(ctx app.Context) {
	ctx.Handle(actTry, func(ctx app.Context, a app.Action) {
		if work, ok := a.Value.(func(app.Context)); ok {
			work(ctx)
		}
	})
	p.OnUpdate(ctx)
	p.load(ctx)
}

// OnUpdate takes what a new address names.
func (p *tryPage) OnUpdate(ctx app.Context) {
	if p.asked != p.Here && !p.model.Going() {
		p.asked, p.model.Order = p.Here, OrderOf(p.Here)
	}
}

func (p *tryPage) load(ctx app.Context) {
	if p.client == nil {
		return
	}
	ctx.Async(func() {
		bench, err := p.client.LabBench(ctx)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				p.model.LoadFailed(FailureOf(err))
				return
			}
			p.model.Loaded(bench)
			p.follow(ctx)
		})
	})
}

// start opens the window first, while the click still counts as leave to do so,
// and sends it on once the lab says where to.
func (p *tryPage) start(ctx app.Context) {
	if p.client == nil || !p.model.Start() {
		return
	}
	window, order := app.Window().Call("open", "about:blank", "_blank", "popup,width=600,height=760"), p.model.Order
	ctx.Async(func() {
		run, err := p.client.StartLab(ctx, order)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				if window.Truthy() {
					window.Call("close")
				}
				p.model.StartFailed(FailureOf(err))
				focus(ctx, tryNoticeID)
				return
			}
			if window.Truthy() {
				window.Get("location").Call("replace", run.Open)
			}
			p.model.Started(run, window.Truthy())
			p.follow(ctx)
		})
	})
}

// follow hears of a run until it is over.
func (p *tryPage) follow(ctx app.Context) {
	if p.hears || !p.model.Going() {
		return
	}
	p.hears = true
	seq := p.model.Run.Seq
	ctx.Async(func() {
		for {
			run, err := p.client.FollowLab(ctx, seq)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				ctx.Dispatch(func(app.Context) { p.hears = false; p.model.Lost(FailureOf(err)) })
				return
			}
			seq = run.Seq
			over := run.Over()
			ctx.Dispatch(func(ctx app.Context) { p.heard(ctx, run) })
			if over {
				return
			}
		}
	})
}

func (p *tryPage) heard(ctx app.Context, run lab.Run) {
	before, _ := p.model.Turn()
	p.model.Heard(run)
	if run.Over() {
		p.hears = false
	}
	if now, _ := p.model.Turn(); now != before {
		ctx.NewActionWithValue(actSay, now)
	}
}

func (p *tryPage) cancel(ctx app.Context) {
	if p.model.Busy || !p.model.Going() {
		return
	}
	p.model.Busy = true
	ctx.Async(func() {
		err := p.client.CancelLab(ctx)
		ctx.Dispatch(func(ctx app.Context) {
			if p.model.Busy = false; err != nil {
				p.model.Lost(FailureOf(err))
			}
		})
	})
}

func (p *tryPage) Render() app.UI {
	return app.Div().Class("page").DataSet("phase", p.model.Phase.String()).Body(
		app.Div().Class("page-head").Body(
			app.Div().Body(
				heading("Be the victim"),
				app.P().Class("lead").Text("A window of your own browser is the victim's, you sign in there, and the same payload, attacker and judge "+
					"go to work as in the lab. Everything stays on this machine."),
			),
			app.A().Class("button quiet").Href(pathLab).Text("To the matrix"),
		),
		p.body(),
	)
}

func (p *tryPage) body() app.UI {
	switch {
	case p.model.Phase == Loading:
		return app.Section().Class("card").Body(bones(6))
	case p.model.Absent:
		return app.Section().Class("card hollow").Body(
			app.P().Body(app.Strong().Text("This works in the demo. "), app.Text("Start it with "), app.Code().Text("cloakroom demo"),
				app.Text(": it brings a provider, an API and an attacker of its own. A server in front of real users has none of that.")),
			app.A().Class("button small").Href(pathLab).Text("See what the lab found"),
		)
	case p.model.Phase == Failed:
		return app.Section().Class("card hollow").Body(
			app.P().Body(app.Strong().Text("The lab does not answer. "), app.Text(p.model.Failure.Sentence())),
			app.Button().Type("button").Class("button small").Text("Try again").
				OnClick(func(ctx app.Context, _ app.Event) { p.post(ctx, p.load) }),
		)
	}
	return app.Div().Class("columns even").Body(p.choice(), p.happening())
}

func (p *tryPage) choice() app.UI {
	a, _ := lab.FindAttack(p.model.Order.Attack)
	s, _ := lab.FindStrategy(p.model.Order.Strategy)
	return app.Section().Class("card side").Body(
		app.H2().Text("What to try"),
		p.chooser("try-strategy", "Strategy", p.model.Bench.Strategies, p.model.Order.Strategy, func(id string) string { s, _ := lab.FindStrategy(id); return s.Name }),
		app.P().Class("soft fine").Text(sentence(s.Keeps)),
		p.chooser("try-attack", "Attack", p.model.Bench.Attacks, p.model.Order.Attack, func(id string) string { a, _ := lab.FindAttack(id); return id + ", " + a.Name }),
		app.P().Class("soft fine").Text(sentence(a.Does)),
		p.missing(),
		app.Div().Class("ways").Body(p.button()),
		outcome(tryNoticeID, p.model.Notice),
		app.H3().Text("The payload"),
		p.payloads(),
	)
}

func (p *tryPage) chooser(id, label string, offers []lab.Offer, chosen string, name func(string) string) app.UI {
	return app.Div().Class("field").Body(
		app.Label().For(id).Text(label),
		app.Select().ID(id).Disabled(p.model.Going() || p.model.Busy).OnChange(p.choose).Body(app.Range(offers).Slice(func(i int) app.UI {
			text := name(offers[i].ID)
			if offers[i].Missing != "" {
				text += " (not here)"
			}
			return app.Option().Value(offers[i].ID).Selected(offers[i].ID == chosen).Text(text)
		})),
	)
}

// choose reads the two lists.
func (p *tryPage) choose(app.Context, app.Event) {
	field := func(id string) string { return app.Window().GetElementByID(id).Get("value").String() }
	p.model.Order = lab.Order{Strategy: field("try-strategy"), Attack: field("try-attack")}
}

func (p *tryPage) missing() app.UI {
	why := p.model.Missing()
	if why == "" {
		return app.P().Class("notice empty")
	}
	return app.P().Class("notice bad").Body(
		app.Text(why+" "), app.A().Href(Key{Attacks, p.model.Order.Strategy, p.model.Order.Attack}.Address()).Text("See what the lab found."),
	)
}

func (p *tryPage) button() app.UI {
	if p.model.Going() {
		return app.Button().ID("try-cancel").Type("button").Class("button quiet").Text("Cancel").
			OnClick(func(ctx app.Context, _ app.Event) { p.post(ctx, p.cancel) }, app.EventScope("cancel"))
	}
	start := app.Button().ID("try-start").Type("button").Class("button").
		OnClick(func(ctx app.Context, _ app.Event) { p.start(ctx) }, app.EventScope("start"))
	if p.model.Busy {
		return start.Text("One moment…").Aria("disabled", "true")
	}
	return start.Text("Start").Disabled(p.model.Missing() != "")
}

func (p *tryPage) payloads() app.UI {
	list := p.model.Payloads()
	if len(list) == 0 {
		return app.P().Class("soft fine").Text("No script runs in the victim's page for this one.")
	}
	return app.Div().Class("payloads").Body(app.Range(list).Slice(func(i int) app.UI {
		return app.Figure().Body(
			app.FigCaption().Class("fine").Body(app.Code().Text(list[i].Name)),
			app.Pre().TabIndex(0).Aria("label", "Code of "+list[i].Name).Body(app.Code().Text(list[i].Code)),
		)
	}))
}

func (p *tryPage) happening() app.UI {
	body := []app.UI{app.H2().Text("What happens")}
	r := p.model.Run
	if r == nil {
		return app.Section().ID("run").Class("card side").Body(append(body,
			app.P().Class("soft").Text("Choose, and press start. A window opens: that is the victim's. Here you see what it does, what reaches the attacker, "+
				"what the attacker's own client gets for it, and what it comes to."))...)
	}
	what, yours := p.model.Turn()
	mark := MarkOf(r.Cell.Verdict)
	switch {
	case r.Phase == lab.Done:
		body = append(body, outcomeOf(mark, what))
	case yours:
		body = append(body, app.P().Class("notice turn").Text(what))
	default:
		body = append(body, app.P().Class("soft").Text(what))
	}
	if r.Phase == lab.Waiting {
		body = append(body, app.P().Body(app.A().ID("try-open").Class("button small quiet").Href(r.Open).Target("_blank").Rel("noopener").OnClick(leave).Text("Open the victim's window")))
	}
	body = append(body, evidenceList("What the victim's window did", r.Tab))
	body = append(body, evidenceOf(r.Cell.Evidence)...)
	if r.Phase == lab.Done {
		body = append(body, app.P().Body(
			app.A().Class("button quiet").Href(Key{Attacks, r.Cell.Strategy, r.Cell.Attack}.Address()).Text("Compare with the matrix")))
	}
	return app.Section().ID("run").Class("card side").DataSet("phase", string(r.Phase)).DataSet("verdict", string(r.Cell.Verdict)).Body(body...)
}
