package ui_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/shared"
	"cloakroom/shared/problem"
	"cloakroom/wasm/api"
	"cloakroom/wasm/ui"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// The one client there is satisfies what the pages ask for.
var _ ui.Client = (*api.Client)(nil)

func failed(code problem.Code) ui.Failure {
	return ui.FailureOf(&api.Error{Details: problem.Of(code)})
}

func TestSessionGoesThroughItsStates(t *testing.T) {
	alice := shared.User{Name: "Alice", Subject: "alice", ExpiresIn: time.Minute}
	offline := ui.FailureOf(errors.New("no route"))
	for _, row := range []struct {
		name  string
		steps func(ui.Session) ui.Session
		want  ui.State
		known bool
		shows bool
	}{
		{"nothing asked yet", func(s ui.Session) ui.Session { return s }, ui.Unknown, false, false},
		{"somebody is there", func(s ui.Session) ui.Session { return s.Loaded(alice, noon) }, ui.SignedIn, true, true},
		{"a first 401 is signed out", func(s ui.Session) ui.Session { return s.Failed(failed(problem.SessionRequired), noon) }, ui.SignedOut, false, false},
		{"a first 401 of an ended session is expired", func(s ui.Session) ui.Session { return s.Failed(failed(problem.SessionEnded), noon) }, ui.Expired, false, false},
		{"a 401 after somebody was there is expired", func(s ui.Session) ui.Session {
			return s.Loaded(alice, noon).Failed(failed(problem.SessionRequired), noon)
		}, ui.Expired, true, false},
		{"a second 401 stays expired", func(s ui.Session) ui.Session {
			return s.Loaded(alice, noon).Failed(failed(problem.SessionRequired), noon).Failed(failed(problem.SessionRequired), noon)
		}, ui.Expired, true, false},
		{"a store that is down signs nobody out", func(s ui.Session) ui.Session {
			return s.Loaded(alice, noon).Failed(failed(problem.StoreUnavailable), noon)
		}, ui.Down, true, true},
		{"a server that is down from the start shows nothing private", func(s ui.Session) ui.Session {
			return s.Failed(offline, noon)
		}, ui.Down, false, false},
		{"back after being down", func(s ui.Session) ui.Session {
			return s.Failed(offline, noon).Loaded(alice, noon)
		}, ui.SignedIn, true, true},
		{"gone after being down", func(s ui.Session) ui.Session {
			return s.Loaded(alice, noon).Failed(offline, noon).Failed(failed(problem.SessionRequired), noon)
		}, ui.Expired, true, false},
		{"a refusal says nothing about the session", func(s ui.Session) ui.Session {
			return s.Loaded(alice, noon).Failed(failed(problem.OrderInvalid), noon)
		}, ui.SignedIn, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := row.steps(ui.Session{})
			if got.State != row.want || got.Known() != row.known || got.Shows() != row.shows {
				t.Errorf("state %v known %v shows %v, want %v %v %v", got.State, got.Known(), got.Shows(), row.want, row.known, row.shows)
			}
		})
	}
	if ends := (ui.Session{}).Loaded(alice, noon).Ends; !ends.Equal(noon.Add(time.Minute)) {
		t.Errorf("ends at %v", ends)
	}
}

func TestARecoveryIsNoticedOnce(t *testing.T) {
	in, down := ui.Session{State: ui.SignedIn}, ui.Session{State: ui.Down}
	got := ui.Back(ui.Session{}, in, down, down, in, in, down, ui.Session{State: ui.Expired}, in)
	if diff := cmp.Diff([]bool{false, false, false, false, true, false, false, false, false}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRetriesSlowDown(t *testing.T) {
	var got []time.Duration
	s := ui.Session{}
	for range 7 {
		s = s.Failed(ui.FailureOf(errors.New("down")), noon)
		got = append(got, s.RetryAt.Sub(noon))
	}
	want := []time.Duration{2e9, 4e9, 8e9, 16e9, 30e9, 30e9, 30e9}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("back-off (-want +got):\n%s", diff)
	}
	patient := ui.Failure{Fault: ui.FaultDown, RetryIn: time.Minute}
	if at := (ui.Session{}).Failed(patient, noon).RetryAt; !at.Equal(noon.Add(time.Minute)) {
		t.Errorf("the server asked for a minute, next try at %v", at)
	}
}

func TestFailureOf(t *testing.T) {
	for _, row := range []struct {
		name  string
		err   error
		fault ui.Fault
		says  string
	}{
		{"nothing failed", nil, ui.FaultNone, ""},
		{"an error of no client is no connection", errors.New("dial"), ui.FaultOffline, "The server could not be reached."},
		{"a call without an answer", &api.Error{Err: errors.New("fetch")}, ui.FaultOffline, "The server could not be reached."},
		{"signed out", &api.Error{Details: problem.Of(problem.SessionRequired)}, ui.FaultSignedOut, "Nobody is signed in."},
		{"the store is down", &api.Error{Details: problem.Of(problem.StoreUnavailable)}, ui.FaultDown, "The session store does not answer."},
		{"wrapped as the client does it", fmt.Errorf("api: orders: %w", &api.Error{Details: problem.Details{Status: 422, Title: "No", Detail: "Too many."}}), ui.FaultRefused, "No. Too many."},
		{"a refusal without words", &api.Error{Details: problem.Details{Status: 418}}, ui.FaultRefused, "The server said no."},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := ui.FailureOf(row.err)
			if got.Fault != row.fault || got.Sentence() != row.says {
				t.Errorf("got %v %q, want %v %q", got.Fault, got.Sentence(), row.fault, row.says)
			}
		})
	}
	if got := ui.FailureOf(&api.Error{Details: problem.Of(problem.StoreUnavailable), RetryIn: 2 * time.Second}); got.RetryIn != 2*time.Second {
		t.Errorf("the server's patience is lost: %v", got.RetryIn)
	}
}
