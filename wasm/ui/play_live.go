package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared/lab"
)

// live is the topology as it stands, and what can be done with it.
func (p *playPage) live() app.UI {
	picture := p.model.Draw()
	return app.Div().Class("play columns").DataSet("play", "running").Body(
		app.Section().ID("stage").Class("card").Body(
			app.H2().Class("aside").Text("The topology, live"),
			drawing(picture, "live", picture.Words),
			p.lastHop(),
			p.legend(),
		),
		p.you(), p.events(), p.log(),
	)
}

func (p *playPage) lastHop() app.UI {
	hop, ok := p.model.LastCall()
	text := "Nothing was asked yet."
	if ok {
		by := "no instance answered"
		if hop.Server != "" {
			by = "instance " + hop.Server
		}
		text = fmt.Sprintf("%s %s: %s, %d, %.1f ms", hop.Method, hop.Path, by, hop.Status, hop.Took)
		switch hop.Stuck {
		case "kept":
			text += ", sticky"
		case "moved":
			text += ", moved: its instance is away"
		}
	}
	return app.P().ID("last-hop").Class("fine mono").Text(text)
}

func (p *playPage) legend() app.UI {
	counts := ""
	if t := p.model.Topology(); t.Kind.Outside() || t.Kind == lab.InFile {
		counts = "Below each instance: how often it read the store and wrote to it, as it counts itself. "
	}
	return app.P().Class("soft fine").Body(
		app.Text(counts), app.Text("Provider: "), app.Span().Text(p.stateOf(lab.NodeProvider)), app.Text(". API: "), app.Span().Text(p.stateOf(lab.NodeAPI)), app.Text("."),
	)
}

func (p *playPage) stateOf(kind lab.NodeKind) string {
	for _, node := range p.model.Play.Deployed.Nodes {
		if node.Kind == kind {
			return stateWords[node.State]
		}
	}
	return "up"
}

func (p *playPage) you() app.UI {
	gone := p.model.Play.You.Gone
	signIn := p.Session.State != SignedIn && p.Session.State != Unknown && p.Session.State != Down
	auto := CallsByItself(p.Here)
	notice := app.P().ID("gone").Class("notice empty").Role("status")
	if gone != "" {
		notice = app.P().ID("gone").Class("notice bad").Role("status").Text(gone)
	}
	call := app.Button().ID("play-call").Type("button").Class("button").Text("Call the API")
	if p.model.Call.Pending {
		call = call.Aria("disabled", "true")
	}
	last := app.P().ID("called").Class("fine").Text(p.model.Call.Text)
	if p.model.Call.Bad {
		last = last.Class("wrong")
	}
	return app.Section().ID("you").Class("card").Body(
		app.H2().Text("Your session"),
		app.P().ID("where").Text(p.model.Where()),
		notice,
		app.Div().Class("ways").Body(
			p.signIn(signIn),
			call.OnClick(func(ctx app.Context, _ app.Event) { p.post(ctx, p.call) }),
			app.Button().ID("play-auto").Type("button").Class("button quiet").Aria("pressed", fmt.Sprint(auto)).Text("Call every 2 s").
				OnClick(func(ctx app.Context, _ app.Event) { ctx.Navigate(PlayURL(!auto)) }, app.EventScope(auto)),
		),
		last,
	)
}

// signIn comes back to this very page, which goes on as it was.
func (p *playPage) signIn(needed bool) app.UI {
	if !needed {
		return app.Span().Class("no-banner")
	}
	text := "Sign in"
	if p.Session.Known() || p.model.Play.You.Gone != "" {
		text = "Sign in again"
	}
	return app.A().ID("play-sign-in").Class("button").Href(loginURL(p.Here)).OnClick(leave).Text(text)
}

func (p *playPage) events() app.UI {
	t := p.model.Topology()
	play := p.model.Play
	var buttons []app.UI
	for _, e := range t.Events() {
		if e.ID != lab.Steady {
			buttons = append(buttons, p.event(e))
		}
	}
	busy := app.P().Class("soft fine").ID("busy").Text("Each happens to the processes that you see, at once.")
	if e, ok := lab.FindEvent(play.Busy); ok {
		busy = busy.Text("Under way: " + e.Name + ".")
	} else if play.Busy != "" {
		busy = busy.Text("Everything is being put right.")
	}
	return app.Section().ID("events").Class("card").Body(
		app.H2().Text("Let something happen"),
		busy,
		p.target(),
		app.Ul().Class("events").Body(buttons...),
		app.Div().Class("ways").Body(p.mend(), p.endButton()),
		outcome(playNoticeID, p.model.Notice),
	)
}

func (p *playPage) event(e lab.Event) app.UI {
	button := app.Button().ID("event-" + e.ID).Type("button").Class("button small quiet").Title(sentence(e.Does)).Text(sentenceCase(p.model.EventName(e)))
	if p.model.Busy || p.model.Play.Busy != "" {
		button = button.Aria("disabled", "true")
	}
	return app.Li().Body(button.OnClick(func(ctx app.Context, _ app.Event) {
		p.post(ctx, func(ctx app.Context) { p.cue(ctx, e.ID) })
	}, app.EventScope(e.ID)))
}

// target is the instance that events of one instance happen to.
func (p *playPage) target() app.UI {
	servers := p.model.Play.Servers
	if len(servers) < 2 {
		return app.Div().Class("no-banner")
	}
	chosen := p.model.Target()
	return app.Div().Class("field").Body(
		app.Label().For("play-target").Text("To which instance"),
		app.Select().ID("play-target").OnChange(func(ctx app.Context, _ app.Event) { p.model.Chosen = typed(ctx) }).Body(
			app.Range(servers).Slice(func(i int) app.UI {
				text := "instance " + servers[i].Name
				if slices.Contains(p.model.Play.You.At, servers[i].Name) {
					text += ", which has your session"
				}
				return app.Option().Value(servers[i].Name).Selected(servers[i].Name == chosen).Text(text)
			}),
		),
	)
}

func (p *playPage) mend() app.UI {
	mend := app.Button().ID("play-mend").Type("button").Class("button").Text("Put everything right")
	switch {
	case !p.model.Play.Broken:
		return mend.Disabled(true)
	case p.model.Busy || p.model.Play.Busy != "":
		return mend.Aria("disabled", "true")
	}
	return mend.OnClick(func(ctx app.Context, _ app.Event) {
		p.post(ctx, func(ctx app.Context) { p.cue(ctx, lab.Mend) })
	})
}

func sentenceCase(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// log is what happened, in words. It grows at its end, as a screen reader needs
// it to, and is drawn the other way round.
func (p *playPage) log() app.UI {
	told := p.model.Play.Told
	return app.Section().ID("happened").Class("card").Body(
		app.H2().ID("log-title").Text("What happened"),
		app.Ol().ID("log").Class("told").Role("log").Aria("live", "polite").Aria("relevant", "additions").Aria("labelledby", "log-title").TabIndex(0).Body(
			app.Range(told).Slice(func(i int) app.UI {
				return app.Li().Class("told-"+string(told[i].Mood)).Body(
					app.Span().Class("when").Text(time.UnixMilli(told[i].At).Local().Format("15:04:05")+" "),
					app.Span().Text(told[i].Text),
				)
			}),
		),
	)
}
