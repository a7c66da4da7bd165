package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Kind is what a call of a Load is for.
type Kind int

const (
	Reading Kind = iota
	Changing
	Ending
	SigningIn
	kinds
)

func (k Kind) String() string { return [kinds]string{"reading", "changing", "ending", "signing in"}[k] }

// Load is what goes on during a Chaos, and what was acknowledged of it.
type Load struct {
	Chaos
	t        *testing.T
	managers []*session.Manager
	guests   []*guest
	hurt     atomic.Bool // Hurt has begun

	cancel context.CancelFunc
	done   sync.WaitGroup

	succeeded, failed [kinds]atomic.Int64
	lost, complaints  atomic.Int64
}

func newLoad(t *testing.T, c Chaos) *Load {
	t.Helper()
	l := &Load{Chaos: c, t: t}
	ring := session.EphemeralKeyRing()
	for _, s := range c.Stores {
		m, err := session.New(s, session.Config{Keys: ring, Lifetimes: session.Lifetimes{Idle: time.Hour, Absolute: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		l.managers = append(l.managers, m)
	}
	return l
}

func (l *Load) manager(i int) *session.Manager { return l.managers[i%len(l.managers)] }

// token is different for every kind, subject and number of changes.
func token(kind, subject string, n int) secret.String {
	return secret.New(fmt.Sprintf("%s-token-of-%s-at-%d", kind, subject, n))
}

// went notes how a call went: whether it succeeded. Its failure must say that
// it is the store's, and nothing about the guest.
func (l *Load) went(ctx context.Context, what Kind, g *guest, err error) bool {
	switch {
	case err == nil:
		l.succeeded[what].Add(1)
		return true
	case errors.Is(err, session.ErrNotFound) && what != SigningIn && what != Ending: // the caller judges
	case ctx.Err() != nil: // the load has ended
	default:
		l.failed[what].Add(1)
		l.judge(what, g, err)
	}
	return false
}

func (l *Load) judge(what Kind, g *guest, err error) {
	for _, wrong := range []error{session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrTooLarge} {
		if errors.Is(err, wrong) {
			l.wrong("%s = %v, want a failure of the store", what, err)
		}
	}
	ticket := g.seen().ticket
	text, id := err.Error(), ticket.ID()
	if !strings.Contains(text, ": "+l.Prefix) { // after what the manager was about
		l.wrong("%s: the error does not say where it is from: %q", what, text)
	}
	for _, leak := range append(append(traces(id[:]), g.subject, ticket.Reveal()), l.Secrets...) {
		if strings.Contains(text, leak) {
			l.wrong("%s: the error says too much: %q", what, text)
		}
	}
}

// wrong reports what must not be; of many, the first ones.
func (l *Load) wrong(format string, arguments ...any) {
	l.t.Helper()
	switch n := l.complaints.Add(1); {
	case n <= 10:
		l.t.Errorf(format, arguments...)
	case n == 11:
		l.t.Error("and more of the like")
	}
}

// tally counts what went on.
func (l *Load) tally() string {
	var parts []string
	for what := range kinds {
		parts = append(parts, fmt.Sprintf("%s %d", what, l.succeeded[what].Load()))
		if n := l.failed[what].Load(); n > 0 {
			parts[what] += fmt.Sprintf(" and %d failed", n)
		}
	}
	return strings.Join(parts, ", ")
}
