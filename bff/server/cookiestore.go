package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/observe"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/sealed"
)

// askAgain is how long an instance may go on serving a session that another one
// ended, where they share a denylist.
const askAgain = 2 * time.Second

// openCookie is for sessions that browsers keep. This process has copies of what
// was opened here; where there is a denylist, it knows which sessions ended.
func openCookie(c config.Session, keys *session.KeyRing, metrics *observe.Metrics, log *slog.Logger, now func() time.Time) (home, error) {
	held, err := memory.New(memory.Config{MaxBytes: c.MaxBytes, Now: now})
	if err != nil {
		return home{}, fmt.Errorf("server: %w", err)
	}
	metrics.Store(func() observe.StoreStats {
		stats := held.Stats()
		return observe.StoreStats{Sessions: float64(stats.Sessions), Bytes: float64(stats.Bytes), Evicted: float64(stats.Evicted)}
	})
	made := home{poll: pollOf(c.Store), ping: func() error { return nil }, close: func() error { return nil }}
	board, ask := session.Store(held), time.Duration(0)
	if c.Denylist.Store != config.StoreNone {
		list, err := openShared(config.Session{Store: c.Denylist.Store, URL: c.Denylist.URL}, metrics, log)
		if err != nil {
			return home{}, fmt.Errorf("server: denylist: %w", err)
		}
		board, ask = list.Store, askAgain
		made.poll, made.ping, made.close = askAgain, list.ping, list.close
		made.more, _ = list.Store.(session.Runner)
	}
	made.notes, err = session.New(board, session.Config{Keys: keys, Lifetimes: lifetimes(c), Now: now})
	if err != nil {
		return home{}, fmt.Errorf("server: %w", err)
	}
	copies := sealed.NewCopies(held, made.notes, c.AbsoluteTimeout, now)
	made.Store, made.look = copies, looker(copies.Look)
	made.browser = func(cookie session.Cookie, sessions *session.Manager) (session.Holder, error) {
		return sealed.New(sealed.Config{
			Cookie: cookie, Format: sealed.Format(c.CookieFormat), Keys: keys, Sessions: sessions, Ended: made.notes,
			Budget: int(c.CookieMaxBytes), AskAgain: ask, Now: now,
		})
	}
	return made, nil
}

// looker is a function as events.Store.
type looker func(ctx context.Context, id session.ID) (session.Record, error)

func (l looker) Get(ctx context.Context, id session.ID) (session.Record, error) { return l(ctx, id) }

func lifetimes(c config.Session) session.Lifetimes {
	return session.Lifetimes{Idle: c.IdleTimeout, Absolute: c.AbsoluteTimeout}
}
