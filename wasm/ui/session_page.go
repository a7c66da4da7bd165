package ui

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
)

// sessionPage says who is signed in, since when and for how long.
type sessionPage struct {
	app.Compo
	Session Session
	Here    string

	client Client
	held   holdings
}

// holdings is the server's description of what it holds, as far as it is known.
type holdings struct {
	phase   Phase
	facts   shared.Holdings
	failure Failure
	asked   bool
	ends    time.Time // of the session when it was asked

	recovery recovery
}

// read asks the server once, as soon as somebody is signed in, and once more
// when it is back after it gave no answer, or when the session's end has moved.
func (h *holdings) read(ctx app.Context, client Client, session Session) {
	back := h.recovery.back(session)
	if !session.Shows() {
		*h = holdings{}
		return
	}
	how := aloud
	if back && h.phase == Failed {
		how, h.asked = quietly, false
	}
	if moved := session.Ends.Sub(h.ends).Abs() > slack; h.asked && !moved || client == nil {
		return
	}
	h.asked, h.ends = true, session.Ends
	ctx.Async(func() {
		facts, err := client.Inspect(ctx)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				h.phase, h.failure = Failed, FailureOf(err)
				how.tell(ctx, h.failure)
				return
			}
			h.phase, h.facts, h.failure = Ready, facts, Failure{}
		})
	})
}

func (s *sessionPage) OnMount(ctx app.Context)  { s.held.read(ctx, s.client, s.Session) }
func (s *sessionPage) OnUpdate(ctx app.Context) { s.held.read(ctx, s.client, s.Session) }

func (s *sessionPage) again(ctx app.Context, _ app.Event) {
	s.held.asked = false
	s.held.read(ctx, s.client, s.Session)
	ctx.NewAction(actLookAgain)
	ctx.NewAction(actRecheck)
}

func (s *sessionPage) Render() app.UI {
	if closed := gate(s.Session, s.Here, "see your session"); closed != nil {
		return app.Div().Class("page").Body(heading("Your session"), closed)
	}
	return app.Div().Class("page").Body(
		heading("Your session"),
		app.Div().Class("columns").Body(s.ticket(), s.lifetimes()),
		&devices{Session: s.Session, client: s.client},
		app.Div().Class("columns even").Body(s.facts(), s.claims()),
	)
}

// ticket is the part a visitor would carry: who, and until when.
func (s *sessionPage) ticket() app.UI {
	user := s.Session.User
	return app.Section().Class("ticket stub").Body(
		app.P().Class("number").Text("Ticket "+s.number()),
		app.H2().Text(user.Name),
		when(user.Subject != "" && user.Subject != user.Name, func() app.UI {
			return app.P().Class("soft fine").Text("Known to the provider as " + user.Subject)
		}),
		when(!s.Session.Ends.IsZero(), func() app.UI {
			return app.Div().Class("clock").Body(
				app.P().Class("soft").Text("Ends, unless you use it, in"),
				app.P().Class("big").Body(&countdown{Until: s.Session.Ends.Unix(), Over: "a moment", Recheck: true}),
				app.P().Class("soft fine").Text("Watching this clock does not put it off. Using the application does."),
			)
		}),
		when(user.LogoutURL != "", func() app.UI {
			return app.A().Class("button").Href(user.LogoutURL).OnClick(leave).Text("Sign out")
		}),
	)
}

func (s *sessionPage) number() string {
	if s.held.phase == Ready && s.held.facts.Session.Fingerprint != "" {
		return s.held.facts.Session.Fingerprint
	}
	return "…"
}

// lifetimes are the four clocks that people confuse, side by side.
func (s *sessionPage) lifetimes() app.UI {
	return app.Section().ID("lifetimes").Class("card").Body(
		app.Div().Class("list-head").Body(
			app.H2().Text("What ends when"),
			app.Button().Type("button").Class("button small quiet").Text("Look again").OnClick(s.again),
		),
		s.held.unready(),
		when(s.held.phase == Ready, func() app.UI { return clocks(LifetimesOf(s.held.facts)) }),
	)
}

func clocks(lives []Lifetime) app.UI {
	return app.Dl().Class("facts clocks").Body(app.Range(lives).Slice(func(i int) app.UI {
		l := lives[i]
		fact := app.P().Class("strong").Text(l.Unsaid)
		if l.Ends != 0 {
			fact = app.P().Body(
				app.Strong().Body(&countdown{Until: l.Ends, Over: l.Over}),
				app.Span().Class("soft fine").Text(" · "+Day(l.Ends)),
			)
		}
		return app.Div().DataSet("lifetime", l.ID).Body(
			app.Dt().Text(l.Name),
			app.Dd().Body(fact, app.P().Class("soft fine").Text(l.Means)),
		)
	}))
}

func (s *sessionPage) facts() app.UI {
	return app.Section().Class("card").Body(
		app.H2().Text("At the counter"),
		s.held.unready(),
		when(s.held.phase == Ready, func() app.UI { return sessionFacts(s.held.facts.Session) }),
	)
}

// unready is what stands in for facts that are not there; nil when they are.
func (h *holdings) unready() app.UI {
	switch h.phase {
	case Loading:
		return bones(6)
	case Failed:
		return app.P().Class("notice bad").Role("alert").Text("The counter could not be asked. " + h.failure.Sentence())
	}
	return nil
}

type fact struct{ term, text string }

// sessionFacts describes the record, and says more where the page does not say
// it elsewhere.
func sessionFacts(f shared.SessionFacts, more ...fact) app.UI {
	rows := append([]fact{
		{"Signed in", Moment(f.Created)},
		{"Last seen", Moment(f.LastSeen)},
		{"Access token renewed", times(f.Refreshes)},
		{"Kept in", f.Store},
		{"Fingerprint", f.Fingerprint},
	}, more...)
	return app.Dl().Class("facts").Body(app.Range(rows).Slice(func(i int) app.UI {
		return app.Div().Body(app.Dt().Text(rows[i].term), app.Dd().Text(rows[i].text))
	}))
}

func times(n int) string {
	switch n {
	case 0:
		return "not yet"
	case 1:
		return "once"
	}
	return Number(n) + " times"
}

func (s *sessionPage) claims() app.UI {
	claims := s.Session.User.Claims
	if len(claims) == 0 {
		return app.Section().Class("card").Body(app.H2().Text("The provider said nothing more about you"))
	}
	return app.Section().Class("card").Body(
		app.H2().Text("What your provider said about you"),
		app.Dl().Class("facts").Body(app.Range(claims).Slice(func(i int) app.UI {
			return app.Div().Body(app.Dt().Text(claims[i].Type), app.Dd().Text(ClaimText(claims[i])))
		})),
	)
}

// ClaimText is a claim's value for a person; what OIDC Core §2 and §5.1 define
// as a time is shown as one.
func ClaimText(c shared.Claim) string {
	switch v := c.Value.(type) {
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case float64:
		switch c.Type {
		case "auth_time", "iat", "exp", "nbf", "updated_at":
			return time.Unix(int64(v), 0).Local().Format("2 January 2006, 15:04:05")
		}
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = ClaimText(shared.Claim{Value: v[i]})
		}
		return strings.Join(parts, ", ")
	}
	encoded, err := json.Marshal(c.Value)
	if err != nil {
		return ""
	}
	return string(encoded)
}
