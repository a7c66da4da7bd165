package ui

import (
	"context"
	"errors"
	"net/http"
	"time"

	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Client is what the pages ask. Its errors may carry a problem document, see
// FailureOf.
type Client interface {
	SessionClient
	StayClient
	DevicesClient
	OrdersClient
	LabClient
	PlayClient
}

// SessionClient asks about the session.
type SessionClient interface {
	User(ctx context.Context, slide bool) (shared.User, error)
	Inspect(ctx context.Context) (shared.Holdings, error)
}

// StayClient keeps a session, and hears what becomes of it. Events calls heard
// until the session named by its User.State is over or ctx ends; Tell says an
// event to the other tabs.
type StayClient interface {
	Stay(ctx context.Context) (shared.User, error)
	Events(ctx context.Context, session string, heard func(event string, e shared.SessionEvent)) error
	Tell(session, event string, e shared.SessionEvent)
}

// DevicesClient lists the user's sessions and ends them.
type DevicesClient interface {
	Sessions(ctx context.Context) ([]shared.Device, error)
	EndSession(ctx context.Context, handle string) error
	EndOtherSessions(ctx context.Context) error
}

// OrdersClient asks the demo API through the BFF.
type OrdersClient interface {
	Orders(ctx context.Context, offset, limit int) (shared.OrderPage, error)
	AddOrder(ctx context.Context, order shared.NewOrder) (shared.Order, error)
	DeleteOrder(ctx context.Context, id string) error
}

// LabClient reads the lab's report, and runs an attack in a lab that is live.
type LabClient interface {
	LabReport(ctx context.Context, path string) (lab.Report, error)
	LabBench(ctx context.Context) (lab.Bench, error)
	StartLab(ctx context.Context, order lab.Order) (lab.Run, error)
	FollowLab(ctx context.Context, after int) (lab.Run, error)
	CancelLab(ctx context.Context) error
}

// PlayClient starts topologies, follows the one that runs, and has events happen.
type PlayClient interface {
	Playground(ctx context.Context) (lab.Playground, error)
	StartPlay(ctx context.Context, choice lab.Choice) (lab.Play, error)
	FollowPlay(ctx context.Context, after int) (lab.Play, error)
	CuePlay(ctx context.Context, cue lab.Cue) error
	EndPlay(ctx context.Context) error
}

// Fault is what kind of failure a page has to show.
type Fault int

// The faults.
const (
	FaultNone      Fault = iota
	FaultSignedOut       // signing in mends it
	FaultDown            // the server or what is behind it does not answer now
	FaultOffline         // no answer came at all; a change may have arrived
	FaultRefused         // the server understood and said no
)

// Failure is a failed call in a page's terms. Its zero value is no failure.
type Failure struct {
	Fault   Fault
	Code    problem.Code
	Title   string // a sentence without its full stop
	Detail  string
	ID      string // finds the cause in the server's log
	RetryIn time.Duration
}

// FailureOf reads err by its methods: Problem() problem.Details, whose Status
// is 0 when no answer came, and RetryAfter() time.Duration.
func FailureOf(err error) Failure {
	if err == nil {
		return Failure{}
	}
	var told interface{ Problem() problem.Details }
	if !errors.As(err, &told) {
		return Failure{Fault: FaultOffline, Title: "The server could not be reached"}
	}
	d := told.Problem()
	f := Failure{Code: d.Code, Title: d.Title, Detail: d.Detail, ID: d.ID}
	var patient interface{ RetryAfter() time.Duration }
	if errors.As(err, &patient) {
		f.RetryIn = patient.RetryAfter()
	}
	switch {
	case d.Status == 0:
		f.Fault, f.Title = FaultOffline, "The server could not be reached"
	case d.Status == http.StatusUnauthorized:
		f.Fault = FaultSignedOut
	case d.Status >= 502 && d.Status <= 504:
		f.Fault = FaultDown
	default:
		f.Fault = FaultRefused
	}
	if f.Title == "" {
		f.Title = "The server said no"
	}
	return f
}

// Sentence is the failure for a person.
func (f Failure) Sentence() string {
	if f.Fault == FaultNone {
		return ""
	}
	if f.Detail != "" {
		return f.Title + ". " + f.Detail
	}
	return f.Title + "."
}
