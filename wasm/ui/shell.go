package ui

import (
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// What components tell the shell.
const (
	actFailed  = "cloakroom/failed"  // a Failure of a call: it may concern the session
	actRecheck = "cloakroom/recheck" // ask again who is there
	actSay     = "cloakroom/say"     // a sentence for those who cannot see the change
)

const description = "The browser holds a ticket, the server keeps the tokens."

// shell is the one root of every page. It stays while pages change, and with it
// what is known about the session.
type shell struct {
	app.Compo
	Page string // exported: go-app hands over the new one on navigation

	client   Client
	session  Session
	question Question
	here     string
	said     string
	checking bool
	unsure   bool // something happened while the server was being asked
	visited  bool
	stop     func()

	listening string // User.State of the session whose events are followed
	deafen    func()
	alarm     *time.Timer
}

func newShell(page string, client Client) *shell {
	return &shell{Page: page, client: client, here: page}
}

func (s *shell) OnPreRender(ctx app.Context) {
	ctx.Page().SetTitle("%s", title(s.Page))
	ctx.Page().SetDescription(description)
}

func (s *shell) OnMount(ctx app.Context) {
	ctx.Handle(actFailed, func(ctx app.Context, a app.Action) {
		if f, ok := a.Value.(Failure); ok {
			s.apply(ctx, s.session.Failed(f, time.Now()))
		}
	})
	ctx.Handle(actRecheck, func(ctx app.Context, _ app.Action) { s.check(ctx) })
	ctx.Handle(actSay, func(ctx app.Context, a app.Action) {
		s.said, _ = a.Value.(string)
		ctx.Update()
	})
	ctx.Handle(actStay, func(ctx app.Context, _ app.Action) { s.stay(ctx) })
	ctx.Handle(actLater, func(ctx app.Context, _ app.Action) { s.later(ctx) })
	s.stop = onVisible(func() { ctx.Dispatch(s.check) })
	s.check(ctx)
}

func (s *shell) OnDismount() {
	if s.stop != nil {
		s.stop()
	}
	if s.deafen != nil {
		s.deafen()
	}
	if s.alarm != nil {
		s.alarm.Stop()
	}
}

// OnNav runs on every change of address, the first one included. The keyboard
// goes to the new page's heading, as it would on a page load.
func (s *shell) OnNav(ctx app.Context) {
	if app.IsServer {
		return
	}
	ctx.Page().SetTitle("%s", title(s.Page))
	if now := here(); s.here != now && s.visited && !sameLab(s.here, now) {
		focus(ctx, headingID)
		app.Window().Call("scrollTo", 0, 0)
	}
	s.here, s.visited = here(), true
}

// sameLab reports whether two addresses differ only in what a page of the lab
// shows, and the keyboard is to stay where it is.
func sameLab(a, b string) bool {
	for _, page := range []string{pathLab, pathPlay} {
		if strings.HasPrefix(a+"?", page+"?") && strings.HasPrefix(b+"?", page+"?") {
			return true
		}
	}
	return false
}

// check asks who is there. It never counts as use, so an open tab does not
// keep a session alive.
func (s *shell) check(ctx app.Context) {
	if s.unsure = s.checking; s.client == nil || s.checking {
		return
	}
	s.checking = true
	ctx.Async(func() {
		user, err := s.client.User(ctx, false)
		ctx.Dispatch(func(ctx app.Context) {
			s.checking = false
			switch {
			case s.unsure: // the answer may be from before
				s.check(ctx)
			case err != nil:
				s.apply(ctx, s.session.Failed(FailureOf(err), time.Now()))
			default:
				s.apply(ctx, s.session.Loaded(user, time.Now()))
			}
		})
	})
}

// apply takes the new state, says what changed, and arranges the next try.
func (s *shell) apply(ctx app.Context, next Session) {
	if next.State != s.session.State && s.session.State != Unknown {
		s.said = next.announcement()
	}
	s.session = next
	s.listen(ctx)
	s.watchEnd(ctx)
	if next.State != Down {
		return
	}
	at := next.RetryAt
	ctx.After(time.Until(at), func(ctx app.Context) {
		if s.session.State == Down && s.session.RetryAt.Equal(at) {
			s.check(ctx)
		}
	})
}

func (s *shell) Render() app.UI {
	return app.Div().Class("shell").DataSet("state", s.session.State.String()).Body(
		app.A().Class("skip").Href("#main").Text("Skip to the content").OnClick(leave),
		s.header(),
		s.banner(),
		app.Main().ID("main").TabIndex(-1).Body(s.page()),
		app.Footer().Class("foot").Body(
			app.P().Body(
				app.Text("The browser holds a ticket; this page holds no token. "),
				app.A().Href(pathInspector).Text("See for yourself."),
			),
		),
		app.Div().Class("aside").Role("status").Aria("live", "polite").Text(s.said),
		s.stayQuestion(),
		app.NoScript().Class("noscript").Body(app.Text("Cloakroom's page is a program. Allow scripts to use it.")),
	)
}

// banner has its place even when it is empty: go-app pairs old and new elements
// by position, and a page that moves down by one would lose its state.
func (s *shell) banner() app.UI {
	if s.session.State != Down || !s.session.Known() {
		return app.Div().Class("no-banner")
	}
	return app.Div().Class("banner").Body(&downNotice{Session: s.session})
}

func (s *shell) page() app.UI {
	switch s.Page {
	case pathHome:
		return &home{Session: s.session}
	case pathOrders:
		return &orders{Session: s.session, Here: s.here, client: s.client}
	case pathSession:
		return &sessionPage{Session: s.session, Here: s.here, client: s.client}
	case pathInspector:
		return &inspector{Session: s.session, Here: s.here, client: s.client}
	case pathLab:
		return &labPage{Here: s.here, client: s.client}
	case pathTry:
		return &tryPage{Here: s.here, client: s.client}
	case pathPlay:
		return &playPage{Session: s.session, Here: s.here, client: s.client}
	}
	return notFound()
}

func (s *shell) header() app.UI {
	links := []struct{ path, name string }{
		{pathOrders, "Orders"}, {pathSession, "Session"}, {pathInspector, "Inspector"}, {pathLab, "Lab"},
	}
	return app.Header().Class("top").Body(
		app.A().Class("brand").Href(pathHome).Body(icon(iconTicket), app.Span().Text("Cloakroom")),
		app.Nav().Aria("label", "Pages").Body(
			app.Ul().Body(app.Range(links).Slice(func(i int) app.UI {
				link := app.A().Href(links[i].path).Text(links[i].name)
				if links[i].path == s.Page || links[i].path == pathLab && (s.Page == pathTry || s.Page == pathPlay) {
					link = link.Aria("current", "page")
				}
				return app.Li().Body(link)
			})),
		),
		app.Div().Class("who").Body(s.who()),
	)
}

// who is the corner that says in which state the session is.
func (s *shell) who() app.UI {
	switch s.session.State {
	case Unknown:
		return app.Span().Class("chip bone").Body(app.Span().Class("aside").Text("Asking who is there"))
	case SignedOut:
		return app.A().Class("button small").Href(loginURL(s.here)).OnClick(leave).Text("Sign in")
	case Expired:
		return app.A().Class("button small").Href(loginURL(s.here)).OnClick(leave).Text("Sign in again")
	case Down:
		return app.Span().Class("chip faint").Text("No answer")
	}
	return app.A().Class("chip").Href(pathSession).Body(
		app.Span().Class("aside").Text("Signed in as "), app.Span().Class("name").Text(s.session.User.Name),
	)
}

// telling is whether the shell hears of a failed reading.
type telling bool

// A page that reads again because the server is back does so quietly: were the
// shell to hear of another failure, the two would send each other in circles.
const (
	aloud   telling = true
	quietly telling = false
)

func (t telling) tell(ctx app.Context, f Failure) {
	if t == aloud || f.Fault == FaultSignedOut {
		ctx.NewActionWithValue(actFailed, f)
	}
}

// announcement is the change of state for those who cannot see it.
func (s Session) announcement() string {
	switch s.State {
	case SignedIn:
		return "You are signed in."
	case SignedOut:
		return "Nobody is signed in."
	case Expired:
		return "Your session has ended."
	case Down:
		return "The server does not answer."
	}
	return ""
}
