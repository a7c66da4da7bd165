package ui_test

import (
	"errors"
	"testing"
	"time"

	"cloakroom/shared"
	"cloakroom/shared/problem"
	"cloakroom/wasm/ui"
)

// watch is a tab in which a session that lasts idle was read at noon.
type watch struct {
	ui.Question
	s    ui.Session
	now  time.Time
	seen bool
}

func lasting(idle time.Duration) *watch {
	w := &watch{now: noon, seen: true}
	w.told(idle)
	return w
}

// told is the server's answer that left is left.
func (w *watch) told(left time.Duration) {
	w.s = w.s.Loaded(shared.User{Subject: "alice", State: "s.1", ExpiresIn: left.Truncate(time.Second)}, w.now)
	w.Heard(w.s, w.now, w.seen)
}

// pass lets time go by and asks the server as often as the model wants it to.
func (w *watch) pass(t *testing.T, d time.Duration) {
	t.Helper()
	end, until := w.s.Ends, w.now.Add(d)
	for range 1000 {
		at := w.Next(w.s, w.now)
		if at.IsZero() || at.After(until) {
			w.now = until
			return
		}
		if !at.After(w.now) {
			t.Fatalf("the server is to be asked at %v, which is not after %v", at, w.now)
		}
		w.now = at
		w.told(max(end.Sub(at), time.Second))
	}
	t.Fatal("the server is asked without end")
}

func TestWhenTheQuestionIsPut(t *testing.T) {
	for _, row := range []struct {
		name      string
		idle      time.Duration
		announced time.Duration // by the server at once; 0 is never
		notice    time.Duration
	}{
		{"a minute before the end", 30 * time.Minute, 0, time.Minute},
		{"at half time, of a short one", 40 * time.Second, 0, 20 * time.Second},
		{"when the server says, if it says", 30 * time.Minute, 5 * time.Minute, 5*time.Minute + time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := lasting(row.idle)
			if row.announced > 0 {
				w.Announced(row.announced)
			}
			if w.pass(t, row.idle-row.notice-time.Second); w.Open {
				t.Fatalf("put %v before the end", w.s.Ends.Sub(w.now))
			}
			if w.pass(t, time.Second); !w.Open {
				t.Fatalf("not put %v before the end", w.s.Ends.Sub(w.now))
			}
			if next := w.Next(w.s, w.now).Sub(w.now); next <= 0 || next > 10*time.Second {
				t.Errorf("the server is asked again in %v: another tab may be in use", next)
			}
		})
	}
}

func TestWhatBecomesOfTheQuestion(t *testing.T) {
	const idle = 10 * time.Minute
	open := func(t *testing.T) *watch {
		w := lasting(idle)
		if w.pass(t, idle-time.Minute); !w.Open {
			t.Fatal("not put")
		}
		return w
	}
	use := func(w *watch, left time.Duration) {
		after := w.s.Loaded(shared.User{Subject: "alice", State: "s.1", ExpiresIn: left}, w.now)
		w.Stayed(w.s, after, w.now)
		w.s = after
		w.Heard(w.s, w.now, w.seen)
	}
	for _, row := range []struct {
		name  string
		steps func(t *testing.T, w *watch)
		open  bool
		final bool
		busy  bool
	}{
		{name: "unanswered it stays until the end", open: true,
			steps: func(t *testing.T, w *watch) { w.pass(t, time.Minute-time.Second) }},
		{name: "it is gone when the session is over",
			steps: func(_ *testing.T, w *watch) { w.Heard(w.s.Failed(failed(problem.SessionEnded), w.now), w.now, true) }},
		{name: "it is gone when somebody used another tab",
			steps: func(_ *testing.T, w *watch) { w.told(idle) }},
		{name: "it is gone when another session is there",
			steps: func(_ *testing.T, w *watch) {
				w.Heard(ui.Session{}.Loaded(shared.User{State: "s.2", ExpiresIn: time.Hour}, w.now), w.now, true)
			}},
		{name: "a server that is down changes nothing", open: true,
			steps: func(_ *testing.T, w *watch) {
				w.Heard(w.s.Failed(ui.FailureOf(errors.New("down")), w.now), w.now, true)
			}},
		{name: "yes is said once", open: true, busy: true, steps: func(t *testing.T, w *watch) {
			if !w.Stay() || w.Stay() {
				t.Error("a double click uses the session twice")
			}
		}},
		{name: "yes", steps: func(_ *testing.T, w *watch) { w.Stay(); use(w, idle) }},
		{name: "yes, and it is put again before the next end", open: true,
			steps: func(t *testing.T, w *watch) { w.Stay(); use(w, idle); w.pass(t, idle-time.Minute) }},
		{name: "yes that did not arrive can be said again", open: true, busy: true, steps: func(t *testing.T, w *watch) {
			w.Stay()
			if w.StayFailed(failed(problem.StoreUnavailable)); w.Failure.Fault != ui.FaultDown || !w.Stay() || w.Failure.Fault != ui.FaultNone {
				t.Errorf("failure %+v", w.Failure)
			}
		}},
		{name: "yes does not move an absolute end, and that is said", open: true, final: true,
			steps: func(_ *testing.T, w *watch) { w.Stay(); use(w, w.s.Ends.Sub(w.now)) }},
		{name: "an announcement of more than half the time is not heeded all the time", steps: func(_ *testing.T, w *watch) {
			w.Announced(idle)
			w.told(idle)
			w.now = w.now.Add(5 * time.Second)
			w.Stay()
			use(w, idle)
		}},
		{name: "later is not asked again", steps: func(t *testing.T, w *watch) { w.Later(w.s.Ends); w.pass(t, 50*time.Second) }},
		{name: "later in another tab, told in whole seconds",
			steps: func(t *testing.T, w *watch) {
				w.Later(w.s.Ends.Add(-1400 * time.Millisecond))
				w.told(w.s.Ends.Sub(w.now))
				w.pass(t, 50*time.Second)
			}},
		{name: "later was said of one session only", open: true, steps: func(_ *testing.T, w *watch) {
			w.Later(w.s.Ends)
			next := ui.Session{}.Loaded(shared.User{State: "s.2", ExpiresIn: w.s.Ends.Sub(w.now)}, w.now)
			w.Heard(next, w.now, true)
			w.Heard(next, next.Ends.Add(-time.Second), true)
		}},
		{name: "later holds for this end only", open: true,
			steps: func(t *testing.T, w *watch) { w.Later(w.s.Ends); w.told(idle); w.pass(t, idle-time.Minute) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := open(t)
			row.steps(t, w)
			if w.Open != row.open || w.Final != row.final || w.Busy != row.busy {
				t.Errorf("open %v final %v busy %v, want %v %v %v", w.Open, w.Final, w.Busy, row.open, row.final, row.busy)
			}
		})
	}
}

func TestATabThatNobodySeesIsAskedWhenItIsSeen(t *testing.T) {
	w := lasting(10 * time.Minute)
	w.seen = false
	if w.pass(t, 9*time.Minute+30*time.Second); w.Open {
		t.Fatal("put in a tab that nobody sees")
	}
	w.seen = true
	if w.told(30 * time.Second); !w.Open {
		t.Error("not put in a tab that is seen again")
	}
	w.seen = false
	if w.told(29 * time.Second); !w.Open {
		t.Error("taken away because somebody looks elsewhere")
	}
}

func TestAnEndIsAskedAboutOnceItIsPast(t *testing.T) {
	w := lasting(10 * time.Minute)
	w.Later(w.s.Ends)
	if at := w.Next(w.s, w.now); !at.After(w.s.Ends) || at.Sub(w.s.Ends) > 3*time.Second {
		t.Errorf("asked %v after the end", at.Sub(w.s.Ends))
	}
	for name, s := range map[string]ui.Session{
		"nobody":         {},
		"no end is told": ui.Session{}.Loaded(shared.User{Subject: "alice"}, noon),
		"over":           w.s.Failed(failed(problem.SessionEnded), noon),
	} {
		var q ui.Question
		if q.Heard(s, noon, true); q.Open || !q.Next(s, noon).IsZero() {
			t.Errorf("%s: open %v, next %v", name, q.Open, q.Next(s, noon))
		}
	}
}
