package ui

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared/lab"
)

// playPage shows the topologies there are, and the one that runs, from its own
// origin: there the session of whoever looks on is one of the topology's.
type playPage struct {
	app.Compo
	Session Session
	Here    string // exported: whether it calls by itself arrives as a new address

	client Client
	model  Playing
	hears  bool
	leaves bool // for the topology's own origin, once it stands
	calls  bool // by itself
}

// actPlay carries work from a button to the page, as actOrders does.
const actPlay = "cloakroom/play"

const playNoticeID = "play-notice"

// pace is how often the page calls by itself: slow enough to be followed.
const pace = 2 * time.Second

func (p *playPage) post(ctx app.Context, work func(app.Context)) {
	ctx.NewActionWithValue(actPlay, work)
}

func (p *playPage) OnMount(ctx app.Context) {
	ctx.Handle(actPlay, func(ctx app.Context, a app.Action) {
		if work, ok := a.Value.(func(app.Context)); ok {
			work(ctx)
		}
	})
	p.load(ctx)
}

func (p *playPage) OnUpdate(ctx app.Context) { p.callOn(ctx) }

func (p *playPage) load(ctx app.Context) {
	if p.client == nil {
		return
	}
	ctx.Async(func() {
		ground, err := p.client.Playground(ctx)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				p.model.LoadFailed(FailureOf(err))
				return
			}
			p.model.Loaded(ground)
			p.follow(ctx)
			p.callOn(ctx)
		})
	})
}

// there reports whether this page is of the topology's own origin.
func (p *playPage) there() bool {
	return app.IsClient && origin() == p.model.Ground.Origin
}

// follow hears of a play until it is over.
func (p *playPage) follow(ctx app.Context) {
	if p.hears || !p.model.Going() {
		return
	}
	p.hears = true
	seq := p.model.Play.Seq
	ctx.Async(func() {
		for failures := 0; ; {
			play, err := p.client.FollowPlay(ctx, seq)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if failures++; failures > 3 {
					ctx.Dispatch(func(app.Context) { p.hears, p.model.Silent = false, true })
					return
				}
				wait(ctx, time.Second)
				continue
			}
			failures, seq = 0, play.Seq
			over := play.Over()
			ctx.Dispatch(func(ctx app.Context) { p.heard(ctx, play) })
			if over {
				return
			}
		}
	})
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (p *playPage) heard(ctx app.Context, play lab.Play) {
	p.model.Heard(play)
	if play.Over() {
		p.hears = false
	}
	if p.leaves && p.model.Running() {
		p.leaves = false
		p.enter()
	}
}

// enter goes to the topology's own origin.
func (p *playPage) enter() {
	app.Window().Get("location").Call("assign", p.model.Ground.Origin+pathPlay)
}

func (p *playPage) start(ctx app.Context, id string) {
	if p.client == nil || p.model.Going() || !p.model.Begin() {
		return
	}
	ctx.Async(func() {
		play, err := p.client.StartPlay(ctx, lab.Choice{Topology: id})
		ctx.Dispatch(func(ctx app.Context) {
			p.model.Did(FailureOf(err))
			if err != nil {
				focus(ctx, playNoticeID)
				return
			}
			p.model.Heard(play)
			p.leaves = true
			focus(ctx, headingID)
			p.follow(ctx)
			p.heard(ctx, play) // it may stand already
		})
	})
}

func (p *playPage) cue(ctx app.Context, event string) {
	if p.model.Play.Busy != "" || !p.model.Begin() {
		return
	}
	cue := lab.Cue{Event: event}
	if OfOneServer(event) {
		cue.Server = p.model.Target()
	}
	ctx.Async(func() {
		err := p.client.CuePlay(ctx, cue)
		ctx.Dispatch(func(ctx app.Context) {
			p.model.Did(FailureOf(err))
			if err != nil {
				focus(ctx, playNoticeID)
			}
		})
	})
}

func (p *playPage) end(ctx app.Context) {
	if !p.model.Begin() {
		return
	}
	home := p.model.Ground.Home
	ctx.Async(func() {
		err := p.client.EndPlay(ctx)
		ctx.Dispatch(func(ctx app.Context) {
			p.model.Did(FailureOf(err))
			if err == nil && p.there() {
				app.Window().Get("location").Call("assign", home+pathPlay)
			}
		})
	})
}

// callOn begins to call by itself if the address says so.
func (p *playPage) callOn(ctx app.Context) {
	if p.calls || p.client == nil || !CallsByItself(p.Here) || !p.model.Running() || !p.there() {
		return
	}
	p.calls = true
	p.callAgain(ctx)
}

func (p *playPage) callAgain(ctx app.Context) {
	if !CallsByItself(p.Here) || !p.model.Going() {
		p.calls = false
		return
	}
	if visible() {
		p.call(ctx)
	}
	ctx.After(pace, p.callAgain)
}

// call asks the API with the session of whoever looks on.
func (p *playPage) call(ctx app.Context) {
	if p.client == nil || !p.model.Calling() {
		return
	}
	ctx.Async(func() {
		page, err := p.client.Orders(ctx, 0, 1)
		ctx.Dispatch(func(ctx app.Context) {
			f := FailureOf(err)
			p.model.Called(page.Total, f)
			switch {
			case err != nil:
				aloud.tell(ctx, f)
			case p.Session.State != SignedIn:
				ctx.NewAction(actRecheck)
			}
		})
	})
}

func (p *playPage) Render() app.UI {
	return app.Div().Class("page").DataSet("phase", p.model.Phase.String()).Body(
		app.Div().Class("page-head").Body(
			app.Div().Body(
				heading(p.title()),
				app.P().Class("lead").Text(p.lead()),
			),
			app.A().Class("button quiet").Href(pathLab).Text("To the matrix"),
		),
		p.body(),
	)
}

func (p *playPage) title() string {
	if p.model.Going() {
		return sentenceCase(p.model.Topology().Name)
	}
	return "One server, many servers"
}

func (p *playPage) lead() string {
	if p.model.Going() {
		return "The session object is " + p.model.Topology().Keeps + ". Instances and stores are processes of their own on this machine."
	}
	return "Where a session lives, and what breaks. Each of these is started for real, and your own session is the guinea pig."
}

func (p *playPage) body() app.UI {
	switch {
	case p.model.Phase == Loading:
		return app.Section().Class("card").Body(bones(8))
	case p.model.Absent:
		return app.Section().Class("card hollow").Body(
			app.P().Body(app.Strong().Text("This works in the demo. "), app.Text("Start it with "), app.Code().Text("cloakroom demo"),
				app.Text(": it starts the servers, the stores and the balancer as processes of their own. A server in front of real users starts none.")),
			app.A().Class("button small").Href(pathLab).Text("See what the lab found"),
		)
	case p.model.Phase == Failed, p.model.Silent:
		return app.Section().Class("card hollow").Role("status").Body(
			app.P().Body(app.Strong().Text("The lab does not answer. "), app.Text(p.model.Failure.Sentence())),
			app.Button().Type("button").Class("button small").Text("Try again").
				OnClick(func(ctx app.Context, _ app.Event) { p.post(ctx, p.load) }),
		)
	case !p.model.Going():
		return app.Div().Class("topologies").Body(p.last(), outcome(playNoticeID, p.model.Notice), p.catalogue())
	case p.model.Play.Phase == lab.PlayRunning && p.there():
		return p.live()
	}
	return p.passing()
}

// last is what became of the play before.
func (p *playPage) last() app.UI {
	text := ""
	if play := p.model.Play; play != nil && play.Why != "" {
		text = sentence(p.model.Topology().Name) + " " + sentence(play.Why)
	}
	if p.there() && text == "" {
		text = "Nothing runs here any more."
	}
	if text == "" {
		return app.P().Class("notice empty")
	}
	return app.P().Class("notice turn").Text(text)
}

// passing is a play that is on its way, or that is looked at from another origin.
func (p *playPage) passing() app.UI {
	play := p.model.Play
	var body []app.UI
	switch {
	case play.Phase == lab.PlayStarting:
		body = append(body, app.P().Role("status").Text("It is being started: servers, store and balancer, as processes of their own. You are taken there."))
	case play.Phase == lab.PlayEnding:
		body = append(body, app.P().Role("status").Text("It is being ended."))
	default:
		body = append(body, app.P().Body(app.Strong().Text("It runs. "), app.Text("It has an origin of its own, and there your session is one of its sessions.")))
	}
	body = append(body, app.Div().Class("ways").Body(
		when(play.Phase == lab.PlayRunning, func() app.UI {
			return app.A().ID("play-enter").Class("button").Href(p.model.Ground.Origin + pathPlay).OnClick(leave).Text("Go there")
		}),
		p.endButton(),
	), outcome(playNoticeID, p.model.Notice))
	return app.Section().Class("card hollow").DataSet("play", string(play.Phase)).Body(
		app.Div().Class("passing").Body(drawing(Sketch(p.model.Topology(), 3), "sketch", "Sketch of "+p.model.Topology().Name)),
		app.Div().Class("passing-words").Body(body...),
	)
}

func (p *playPage) endButton() app.UI {
	end := app.Button().ID("play-end").Type("button").Class("button quiet").Text("End it")
	if p.model.Busy || p.model.Play.Phase == lab.PlayEnding {
		return end.Aria("disabled", "true")
	}
	return end.OnClick(func(ctx app.Context, _ app.Event) { p.post(ctx, p.end) })
}

func (p *playPage) catalogue() app.UI {
	list := parts()
	return app.Div().Class("parts").Body(app.Range(list).Slice(func(i int) app.UI {
		var cards []app.UI
		for _, t := range lab.Topologies() {
			if list[i].has(t) {
				cards = append(cards, p.card(t))
			}
		}
		return app.Section().Class("chapter").Body(
			app.H2().Text(list[i].title),
			app.P().Class("soft").Text(list[i].text),
			app.Ul().Class("cards").Body(cards...),
		)
	}))
}

func (p *playPage) card(t lab.Topology) app.UI {
	why := p.model.Missing(t.ID)
	button := app.Button().Type("button").ID("start-"+t.ID).Class("button small").Aria("label", "Start "+t.Name).Text("Start it")
	if why != "" || p.model.Busy {
		button = button.Disabled(true)
	}
	button = button.OnClick(func(ctx app.Context, _ app.Event) {
		p.post(ctx, func(ctx app.Context) { p.start(ctx, t.ID) })
	}, app.EventScope(t.ID))
	note := app.P().Class("notice empty")
	if why != "" {
		note = app.P().Class("fine wrong").Text(why)
	}
	return app.Li().Class("card topology-card").Body(
		drawing(Sketch(t, 3), "sketch", "Sketch: browser, balancer, "+t.Name),
		app.Div().Class("about").Body(
			app.H3().Text(sentenceCase(t.Name)),
			app.P().Class("soft fine").Text("The session object is "+t.Keeps+"."),
			app.P().Class("fine").Body(app.Code().Text(t.ID)),
			note,
			button,
		),
	)
}
