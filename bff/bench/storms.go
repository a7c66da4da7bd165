package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/shared"
)

// together is how many people sign in at once.
const together = 32

// measureSignIns has everybody sign in. The provider's work is its own: of the
// time until a code is redeemed it is most, of the processor time nothing.
func measureSignIns(ctx context.Context, p plan, e errand) error {
	people := 2000
	if p.small {
		people = 100
	}
	return e.on(ctx, tokenLife, []string{"sign-ins"}, func(w *world, s *servers.Stage) error {
		h := w.openCloakroom(s, "sign-ins", "  store: memory\n")
		w.signIn(s, "sign-ins", shared.PathLogin) // the only one whom the provider asks for a password
		var mu sync.Mutex
		times := map[string]*sample{shared.PathLogin: {}, shared.PathCallback: {}}
		note := func(path string, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if of := times[path]; of != nil {
				of.times = append(of.times, took)
			}
		}
		var next atomic.Int64
		tickets := make([]string, people)
		group, signing := errgroup.WithContext(ctx)
		cpu, began := h.server.CPU(), time.Now()
		for range together {
			group.Go(func() error {
				for i := int(next.Add(1)) - 1; i < people; i = int(next.Add(1)) - 1 {
					var err error
					if tickets[i], err = w.person.signIn(signing, w.origin("sign-ins")+shared.PathLogin, w.origin("sign-ins")+callPath, note); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		took := time.Since(began)
		cpu = h.server.CPU() - cpu
		slices.Sort(tickets)
		if n := len(slices.Compact(tickets)); n != people {
			return &wrongAnswer{text: fmt.Sprintf("%d sign-ins gave %d sessions", people, n)}
		}
		for _, of := range times {
			slices.Sort(of.times)
		}
		e.tell(
			measure{"SignIn/cpu", fmt.Sprintf("%d sign-ins, %d at once: processor time each, without the provider's", people, together), "us", []float64{micros(cpu) / float64(people)}},
			measure{"SignIn/rate", "the same: sign-ins a second, the provider on the core of the browsers", "n", []float64{float64(people) / took.Seconds()}},
			measure{"SignIn/begin-p99", "p99 of `/bff/login`", "us", []float64{micros(times[shared.PathLogin].quantile(.99))}},
			measure{"SignIn/end-p99", "p99 of `/bff/callback`, which waits for the provider's tokens", "us", []float64{micros(times[shared.PathCallback].quantile(.99))}},
		)
		return nil
	})
}

// measureRefreshes calls with sessions whose access tokens expire one after the
// other, until all have expired; the next minute each must have been renewed once
// and no more.
func measureRefreshes(ctx context.Context, p plan, e errand) error {
	n, spread := 10_000, time.Minute
	if p.small {
		n, spread = 300, 6*time.Second
	}
	return e.on(ctx, tokenLife, []string{"refreshes"}, func(w *world, s *servers.Stage) error {
		tokens, err := openTokenEndpoint(w.upstream)
		s.Must(err)
		s.Cleanup(tokens.close)
		w.issuer = tokens.issuer
		r := servers.Redis(s)
		h := w.openCloakroom(s, "refreshes", "  store: redis\n  url: redis://"+r.Addr()+"\n")
		const first = 5 * time.Second
		bodies := make([][]byte, n)
		tickets, err := e.gatherIn(w, r, h.key, n, func(i int) session.Session {
			made := w.someone(i, "")
			made.Tokens.Access, made.Tokens.Refresh, bodies[i] = tokens.begin(i)
			made.Tokens.AccessExpires = time.Now().Add(first + spread*time.Duration(i)/time.Duration(n))
			return made
		})
		if err != nil {
			return err
		}
		c := w.newCrowd("refreshes", tickets, nil)
		c.bodies = bodies
		l, err := dial(ctx, h.addr, connections)
		if err != nil {
			return err
		}
		defer l.close()
		cpu := h.server.CPU()
		during, err := l.run(ctx, first+spread+time.Second, c.anyOf(n), nil)
		if err != nil {
			return err
		}
		cpu = h.server.CPU() - cpu
		// Whoever was not called while theirs was old is renewed now.
		tokens.forgetOld()
		var next atomic.Int64
		if _, err := l.run(ctx, time.Minute, func(conn int) (*call, bool) {
			i := int(next.Add(1)) - 1
			return c.call(conn, i%n), i < n
		}, nil); err != nil {
			return err
		}
		after, err := l.run(ctx, p.slice, c.anyOf(n), nil)
		if err != nil {
			return err
		}
		renewed, again := tokens.counts()
		if renewed != n || again > 0 {
			return &wrongAnswer{text: fmt.Sprintf("%d sessions were renewed %d times, and %d refresh tokens were used twice", n, renewed, again)}
		}
		e.tell(
			measure{"Refresh/renewals", fmt.Sprintf("access tokens that expire within %v, Redis: token requests for as many sessions", spread), "n", []float64{float64(renewed)}},
			measure{"Refresh/p99", "the same: p99 of all calls meanwhile", "us", []float64{micros(during.quantile(.99))}},
			measure{"Refresh/p99-after", "p99 of calls afterwards", "us", []float64{micros(after.quantile(.99))}},
			measure{"Refresh/cpu", "processor time of a call meanwhile", "us", []float64{micros(cpu) / float64(len(during.times))}},
		)
		return nil
	})
}

// measureReconnects kills the store under load and starts it again. In between,
// calls may be refused, by 503 alone; afterwards all sessions must be there.
func measureReconnects(ctx context.Context, p plan, e errand) error {
	return e.on(ctx, tokenLife, []string{"reconnects"}, func(w *world, s *servers.Stage) error {
		r := servers.Redis(s, "appendonly yes", "appendfsync always")
		h := w.openCloakroom(s, "reconnects", "  store: redis\n  url: redis://"+r.Addr()+"\n")
		calls := w.signedIn(s, "reconnects", shared.PathLogin)
		l, err := dial(ctx, h.addr, connections)
		if err != nil {
			return err
		}
		defer l.close()
		var troubled, last atomic.Int64 // last is when the last call was refused
		forgive := func(err error) bool {
			wrong, ok := errors.AsType[*wrongAnswer](err)
			if !ok || wrong.status != 503 {
				return false
			}
			troubled.Add(1)
			last.Store(time.Now().UnixNano())
			return true
		}
		next := func(conn int) (*call, bool) { return calls[conn], true }
		before, err := l.run(ctx, p.slice, next, nil)
		if err != nil {
			return err
		}
		var outages, recoveries []float64
		for range min(p.rounds, 3) {
			back := make(chan time.Time, 1)
			var failed error
			go func() {
				time.Sleep(500 * time.Millisecond)
				failed = s.Try(func() { r.Kill(); time.Sleep(500 * time.Millisecond); r.Restart() })
				back <- time.Now()
			}()
			troubled.Store(0)
			if _, err := l.run(ctx, 6*time.Second, next, forgive); err != nil {
				return err
			}
			at := <-back
			if failed != nil {
				return failed
			}
			if troubled.Load() == 0 {
				return errors.New("nobody noticed that the store was gone")
			}
			outages = append(outages, float64(troubled.Load()))
			recoveries = append(recoveries, max(0, micros(time.Unix(0, last.Load()).Sub(at))/1000))
		}
		after, err := l.run(ctx, p.slice, next, nil)
		if err != nil {
			return fmt.Errorf("after the store came back: %w", err)
		}
		e.tell(
			measure{"Reconnect/recovery", "Redis killed and back after half a second, under load: from its first answer until no call is refused any more", "ms", recoveries},
			measure{"Reconnect/refused", "the same: calls that were refused, by 503, of 64 connections that try each 10 ms", "n", outages},
			measure{"Reconnect/p99-before", "p99 before", "us", []float64{micros(before.quantile(.99))}},
			measure{"Reconnect/p99-after", "p99 afterwards", "us", []float64{micros(after.quantile(.99))}},
		)
		return nil
	})
}
