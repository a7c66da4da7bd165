package sealed_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/sealed"
)

// firstCall brings a session to an instance that has not seen it. Nothing was
// copied yet; end ends the call.
func firstCall(t *testing.T) (i *instance, b browser, ticket session.Ticket, s session.Session, end func()) {
	t.Helper()
	keys := ring(t, "a")
	i, b = newInstance(t, sealed.JWE, keys, nil, 0), browser{}
	b.signIn(t, newInstance(t, sealed.JWE, keys, nil, 0), newSession(2000))
	ctx, cancel := context.WithCancel(t.Context())
	ticket, s, err := i.Admit(b.over(ctx), i.sessions)
	if err != nil {
		t.Fatal(err)
	}
	if n := i.held.Stats().Sessions; n != 0 {
		t.Fatalf("%d sessions were copied at first sight", n)
	}
	return i, b, ticket, s, func() { cancel(); synctest.Wait() }
}

func mustHold(t *testing.T, i *instance, want int) {
	t.Helper()
	if n := int(i.held.Stats().Sessions); n != want {
		t.Errorf("%d copies, want %d", n, want)
	}
}

func TestTheSecondCallOfASessionCopiesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, b, ticket, _, end := firstCall(t)
		end()
		if _, err := i.sessions.Load(t.Context(), ticket); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("after the call its session is still there: %v", err)
		}
		for range 3 {
			ctx, over := context.WithCancel(t.Context())
			got, s, err := i.Admit(b.over(ctx), i.sessions)
			if err != nil || got != ticket || s.Subject != "alice-subject" {
				t.Fatalf("again: %+v, %v", s, err)
			}
			over()
			synctest.Wait()
			mustHold(t, i, 1)
		}
	})
}

// Whatever a call does with the session that it is the first to bring is done to
// the copy.
func TestWhoeverAsksForASessionUnderWayFindsIt(t *testing.T) {
	for name, ask := range map[string]func(t *testing.T, i *instance, ticket session.Ticket, s session.Session) error{
		"to read it": func(t *testing.T, i *instance, ticket session.Ticket, want session.Session) error {
			s, err := i.sessions.Load(t.Context(), ticket)
			if s.Tokens.Access.Reveal() != want.Tokens.Access.Reveal() {
				t.Error("another access token")
			}
			return err
		},
		"to change it": func(t *testing.T, i *instance, ticket session.Ticket, _ session.Session) error {
			_, err := i.sessions.Update(t.Context(), ticket, func(s *session.Session) error {
				s.Tokens.Access, s.Refreshes = secret.New("renewed"), s.Refreshes+1
				return nil
			})
			return err
		},
		"with an older state of it": func(t *testing.T, i *instance, ticket session.Ticket, s session.Session) error {
			old := s
			old.Refreshes--
			got, err := i.sessions.Adopt(t.Context(), ticket, old, nil)
			if got.Refreshes != s.Refreshes {
				t.Errorf("%d renewals, and it had %d", got.Refreshes, s.Refreshes)
			}
			return err
		},
		"with a newer state of it": func(t *testing.T, i *instance, ticket session.Ticket, s session.Session) error {
			s.Refreshes++
			_, err := i.sessions.Adopt(t.Context(), ticket, s, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i, b, ticket, s, end := firstCall(t)
				if err := ask(t, i, ticket, s); err != nil {
					t.Fatal(err)
				}
				end()
				mustHold(t, i, 1)
				after, err := i.sessions.Load(t.Context(), ticket)
				if err != nil {
					t.Fatal(err)
				}
				if _, s, err := b.visit(t, i); err != nil || s.Refreshes != after.Refreshes {
					t.Errorf("the next call: %d renewals, want %d, %v", s.Refreshes, after.Refreshes, err)
				}
			})
		})
	}
}

// A logout at the provider names no ticket: it ends what it finds.
func TestALogoutFindsTheSessionsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, b, ticket, s, end := firstCall(t)
		if n, err := i.sessions.EndSID(t.Context(), s.Issuer, s.SID); n != 1 || err != nil {
			t.Errorf("%d sessions ended, %v", n, err)
		}
		if _, err := i.sessions.Load(t.Context(), ticket); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("it is still there: %v", err)
		}
		end()
		if _, _, err := b.visit(t, i); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the next call: %v", err)
		}
	})
}

func TestASignOutEndsASessionUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, b, ticket, _, end := firstCall(t)
		if err := i.sessions.Delete(t.Context(), ticket); err != nil {
			t.Fatal(err)
		}
		if _, err := i.sessions.Load(t.Context(), ticket); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("it is back: %v", err)
		}
		end()
		if _, _, err := b.visit(t, i); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the next call: %v", err)
		}
		mustHold(t, i, 1) // the note
	})
}

// A call whose end nobody hears of is one that cannot be waited for.
func TestWithoutACallASessionIsCopiedAtOnce(t *testing.T) {
	keys := ring(t, "a")
	i, b := newInstance(t, sealed.JWE, keys, nil, 0), browser{}
	b.signIn(t, newInstance(t, sealed.JWE, keys, nil, 0), newSession(2000))
	if _, _, err := i.Admit(b.over(context.Background()), i.sessions); err != nil {
		t.Fatal(err)
	}
	mustHold(t, i, 1)
}
