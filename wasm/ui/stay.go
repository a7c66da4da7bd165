package ui

import (
	"context"
	"math"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// What the dialog tells the shell. A button's own context dies with it.
const (
	actStay  = "cloakroom/stay"
	actLater = "cloakroom/later"
)

const (
	stayID    = "stay"
	stayYesID = "stay-yes"
)

// listen follows the events of the session that is there, and stops when it is
// not there any more.
func (s *shell) listen(ctx app.Context) {
	session := s.session.User.State
	switch {
	case s.session.State == Down, s.session.State == SignedIn && session == s.listening:
		return
	case s.deafen != nil:
		s.deafen()
	}
	if s.listening, s.deafen = "", nil; s.session.State != SignedIn || session == "" {
		return
	}
	until, stop := context.WithCancel(ctx)
	s.listening, s.deafen = session, stop
	ctx.Async(func() {
		defer stop()
		_ = s.client.Events(until, session, func(event string, e shared.SessionEvent) {
			ctx.Dispatch(func(ctx app.Context) { s.heard(ctx, session, event, e) })
		})
		ctx.Dispatch(func(app.Context) {
			if s.listening == session {
				s.listening = ""
			}
		})
	})
}

// heard is something said of the session by the server or by another tab. What
// is true the server is asked; only an end is believed at once.
func (s *shell) heard(ctx app.Context, session, event string, e shared.SessionEvent) {
	if s.session.User.State != session {
		return
	}
	left := time.Duration(e.ExpiresIn) * time.Second
	switch event {
	case shared.EventSessionEnded:
		ended := Failure{Fault: FaultSignedOut, Code: problem.SessionEnded}
		s.apply(ctx, s.session.Failed(ended, time.Now()))
	case shared.EventSessionExpiring:
		s.question.Announced(left)
	case shared.EventSessionLater:
		s.question.Later(time.Now().Add(left))
		s.showQuestion(ctx)
		return
	}
	s.check(ctx)
}

// watchEnd puts the question when it is time, and has the server asked when the
// answer may have changed.
func (s *shell) watchEnd(ctx app.Context) {
	now := time.Now()
	s.question.Heard(s.session, now, visible())
	s.showQuestion(ctx)
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
	if at := s.question.Next(s.session, now); !at.IsZero() {
		s.alarm = time.AfterFunc(at.Sub(now), func() { ctx.Dispatch(s.check) })
	}
}

// showQuestion makes the element what the model says. The browser's own dialog
// keeps the keyboard inside, and gives the focus back when it closes.
func (s *shell) showQuestion(ctx app.Context) {
	ctx.Defer(func(app.Context) {
		dialog := app.Window().GetElementByID(stayID)
		if !dialog.Truthy() || dialog.Get("open").Bool() == s.question.Open {
			return
		}
		if !s.question.Open {
			dialog.Call("close")
			return
		}
		dialog.Call("showModal")
		if yes := app.Window().GetElementByID(stayYesID); yes.Truthy() {
			yes.Call("focus")
		}
	})
}

// stay uses the session, which puts off its end.
func (s *shell) stay(ctx app.Context) {
	if s.client == nil || !s.question.Stay() {
		return
	}
	before := s.session
	ctx.Async(func() {
		user, err := s.client.Stay(ctx)
		ctx.Dispatch(func(ctx app.Context) {
			now := time.Now()
			if err != nil {
				f := FailureOf(err)
				s.question.StayFailed(f)
				s.apply(ctx, s.session.Failed(f, now))
				return
			}
			after := s.session.Loaded(user, now)
			if s.question.Stayed(before, after, now); s.question.Final {
				focus(ctx, stayYesID) // a link now: the button that had it is gone
			} else {
				s.said = "You stay signed in."
			}
			s.apply(ctx, after)
		})
	})
}

// later closes the question, here and in the other tabs.
func (s *shell) later(ctx app.Context) {
	if !s.question.Open {
		return
	}
	s.question.Later(s.session.Ends)
	s.showQuestion(ctx)
	left := math.Round(time.Until(s.session.Ends).Seconds())
	s.client.Tell(s.session.User.State, shared.EventSessionLater, shared.SessionEvent{ExpiresIn: int64(left)})
}

// closed is the element's word that it closed, which by Escape it does alone.
func (s *shell) closed(ctx app.Context, _ app.Event) { ctx.NewAction(actLater) }

// stayQuestion has its place even when it is not put, as the banner has.
func (s *shell) stayQuestion() app.UI {
	dialog := app.Dialog().ID(stayID).Class("stay").Role("alertdialog").On("close", s.closed)
	if !s.question.Open {
		return dialog
	}
	return dialog.Aria("labelledby", "stay-title").Aria("describedby", "stay-text").Body(
		app.P().Class("number").Text("Last call"),
		app.H2().ID("stay-title").Text(s.stayTitle()),
		app.P().Class("big").Body(&countdown{Until: s.session.Ends.Unix(), Over: "now", Recheck: true}),
		app.P().ID("stay-text").Class("soft").Text(s.stayText()),
		s.stayFailure(),
		app.Div().Class("ways").Body(
			s.stayYes(),
			when(s.session.User.LogoutURL != "" && !s.question.Final, func() app.UI {
				return app.A().Class("button quiet").Href(s.session.User.LogoutURL).OnClick(leave).Text("Sign out")
			}),
			app.Button().Type("button").Class("button quiet").Text("Not now").
				OnClick(func(ctx app.Context, _ app.Event) { ctx.NewAction(actLater) }),
		),
	)
}

func (s *shell) stayTitle() string {
	if s.question.Final {
		return "This session is at its end"
	}
	return "Stay signed in?"
}

func (s *shell) stayText() string {
	if s.question.Final {
		return "It has lasted as long as a session may. Sign in again to go on; you come back to this page."
	}
	return "You have not used the application for a while. When the time is up, you are signed out."
}

func (s *shell) stayFailure() app.UI {
	if s.question.Failure.Fault == FaultNone {
		return app.P().Class("notice empty")
	}
	return app.P().Class("notice bad").Role("alert").Text("You could not be kept signed in. " + s.question.Failure.Sentence())
}

func (s *shell) stayYes() app.UI {
	switch {
	case s.question.Final:
		return app.A().ID(stayYesID).Class("button").Href(loginURL(s.here)).OnClick(leave).Text("Sign in again")
	case s.question.Busy:
		return app.Button().ID(stayYesID).Type("button").Class("button").Aria("disabled", "true").Text("One moment…")
	}
	return app.Button().ID(stayYesID).Type("button").Class("button").Text("Stay signed in").
		OnClick(func(ctx app.Context, _ app.Event) { ctx.NewAction(actStay) })
}
