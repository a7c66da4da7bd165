package ui

import (
	"net/url"
	"slices"

	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Try is an attack made in the user's own browser.
type Try struct {
	Phase   Phase
	Failure Failure
	Absent  bool // no live lab is here
	Bench   lab.Bench
	Order   lab.Order
	Run     *lab.Run
	Busy    bool // a start or a cancel is under way
	Blocked bool // the browser opened no window
	Notice  Notice
}

// TryURL is where an order is tried.
func TryURL(o lab.Order) string {
	return pathTry + "?strategy=" + url.QueryEscape(o.Strategy) + "&attack=" + url.QueryEscape(o.Attack)
}

// OrderOf reads an address: what it does not name is the first of the list.
func OrderOf(address string) lab.Order {
	o := lab.Order{Strategy: lab.Strategies()[0].ID, Attack: lab.Attacks()[0].ID}
	u, err := url.Parse(address)
	if err != nil {
		return o
	}
	if s, ok := lab.FindStrategy(u.Query().Get("strategy")); ok {
		o.Strategy = s.ID
	}
	if a, ok := lab.FindAttack(u.Query().Get("attack")); ok {
		o.Attack = a.ID
	}
	return o
}

// Loaded takes what the live lab offers. A run that goes on is gone on with.
func (t *Try) Loaded(b lab.Bench) {
	t.Phase, t.Failure, t.Absent, t.Bench, t.Notice = Ready, Failure{}, false, b, Notice{}
	if b.Run != nil && !b.Run.Over() {
		t.Heard(*b.Run)
		t.Order = lab.Order{Strategy: b.Run.Cell.Strategy, Attack: b.Run.Cell.Attack}
	}
}

// LoadFailed tells a server without a live lab, which answers that there is
// nothing, that one must sign in, or with a page, from one that is silent.
func (t *Try) LoadFailed(f Failure) {
	t.Phase, t.Failure = Failed, f
	t.Absent = f.Fault == FaultRefused || f.Fault == FaultSignedOut || f.Fault == FaultDown && f.Code == ""
}

// offer finds an ID in a list.
func offer(list []lab.Offer, id string) lab.Offer {
	if i := slices.IndexFunc(list, func(o lab.Offer) bool { return o.ID == id }); i >= 0 {
		return list[i]
	}
	return lab.Offer{ID: id, Missing: "This lab does not have it."}
}

// Missing says why the order cannot be run; "": it can.
func (t *Try) Missing() string {
	if why := offer(t.Bench.Strategies, t.Order.Strategy).Missing; why != "" {
		return why
	}
	return offer(t.Bench.Attacks, t.Order.Attack).Missing
}

// Payloads are the scripts of the attack that is chosen.
func (t *Try) Payloads() []lab.Payload { return offer(t.Bench.Attacks, t.Order.Attack).Payloads }

// Going reports whether a run goes on.
func (t *Try) Going() bool { return t.Run != nil && !t.Run.Over() }

// Start is the button. It reports false when there is nothing to start.
func (t *Try) Start() bool {
	if t.Busy || t.Going() || t.Missing() != "" {
		return false
	}
	t.Busy, t.Blocked, t.Notice, t.Run = true, false, Notice{}, nil
	return true
}

// Started is the lab's consent; opened reports whether a window is there.
func (t *Try) Started(r lab.Run, opened bool) {
	t.Busy, t.Blocked = false, !opened
	t.Run = &r
}

// StartFailed says why nothing began.
func (t *Try) StartFailed(f Failure) {
	t.Busy = false
	t.Notice = Notice{Bad: true, Text: "Nothing was started. " + f.Sentence()}
	if f.Code == problem.LabBusy {
		t.Notice.Text = "Another run goes on, maybe in another tab of yours. There is one at a time."
	}
}

// Heard takes what is new of a run; what is older than what is known is not.
func (t *Try) Heard(r lab.Run) {
	if t.Run == nil || r.Seq >= t.Run.Seq {
		t.Run = &r
	}
}

// Lost says that nothing more is heard.
func (t *Try) Lost(f Failure) {
	t.Notice = Notice{Bad: true, Text: "Nothing more is heard of the run. " + f.Sentence()}
}

// Turn is what goes on, and what the person has to do, if anything.
func (t *Try) Turn() (what string, yours bool) {
	switch r := t.Run; {
	case r == nil:
		return "", false
	case r.Phase == lab.Waiting && t.Blocked:
		return "Your browser opened no window by itself. Open the victim's tab here.", true
	case r.Phase == lab.Waiting:
		return "The victim's window is opening.", false
	case r.Phase == lab.Cancelled:
		return "It was cancelled, so there is no verdict.", false
	case r.Phase == lab.Done:
		return Why(r.Cell), false
	case r.Away && !r.Cell.Evidence.SignedIn:
		return "Your turn: in the victim's window, sign in as " + t.Bench.User + " with the password " + t.Bench.Password + ", and allow it.", true
	case r.Cell.Evidence.SignedIn:
		return "The victim is signed in. The attack is under way.", false
	}
	return "The victim's window empties itself and goes to sign in.", false
}
