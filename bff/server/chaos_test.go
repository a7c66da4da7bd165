package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// regular is a visitor who goes on calling, and what they may expect.
type regular struct {
	*visitor
	logout string // the link of their own session: no other session has it
}

// crowd are visitors under whose calls something happens to the server.
type crowd struct {
	visitors []*regular
	// instances are the origins that get the calls, in turn.
	instances []string
	// mayForget says that 401 is an answer, too.
	mayForget bool

	served, refused, signedOut atomic.Int64
	stop                       context.CancelFunc
	done                       sync.WaitGroup
}

// gather signs n visitors in.
func gather(t *testing.T, n int, instances ...*stage) *crowd {
	t.Helper()
	c := &crowd{}
	for _, s := range instances {
		c.instances = append(c.instances, s.origin)
		s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
				t.Error("a call reached the API without a token")
			}
		})
	}
	for i := range n {
		c.join(t, newVisitor(t, instances[i%len(instances)].origin))
	}
	return c
}

// join signs a visitor in and counts them in.
func (c *crowd) join(t *testing.T, v *visitor) *regular {
	t.Helper()
	v.signIn(t)
	r := &regular{v, logoutLink(t, v)}
	c.visitors = append(c.visitors, r)
	return r
}

// start lets every visitor call again and again until end.
func (c *crowd) start(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c.stop = cancel
	for _, v := range c.visitors {
		c.done.Go(func() {
			pause := time.NewTicker(time.Millisecond) // leaves the machine to the servers
			defer pause.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				<-pause.C
				path := []string{shared.PathUser, "/api/orders"}[n%2]
				c.call(ctx, t, v, c.instances[n/2%len(c.instances)], path)
			}
		})
	}
	t.Cleanup(c.end)
}

func (c *crowd) end() {
	c.stop()
	c.done.Wait()
}

// call makes one call and judges its answer.
func (c *crowd) call(ctx context.Context, t *testing.T, v *regular, origin, path string) {
	response, err := v.Do(callOf(t, http.MethodGet, origin, path).WithContext(ctx))
	if err != nil {
		if ctx.Err() == nil {
			t.Errorf("GET %s: %v, want an answer", path, err)
		}
		return
	}
	defer response.Body.Close()
	got := answer{Response: response}
	if got.body, err = bodyOf(response); err != nil {
		if ctx.Err() == nil {
			t.Errorf("GET %s: %v", path, err)
		}
		return
	}
	switch {
	case got.StatusCode == http.StatusOK:
		c.served.Add(1)
		if path == shared.PathUser && !strings.Contains(got.body, v.logout) {
			t.Errorf("GET %s shows another session: %s, want the one of %s", path, got.body, v.logout)
		}
	case got.StatusCode == http.StatusServiceUnavailable:
		c.refused.Add(1)
		if got.code() != problem.StoreUnavailable || got.Header.Get("Retry-After") == "" || len(got.Cookies()) != 0 {
			t.Errorf("GET %s: %d %v %s", path, got.StatusCode, got.Header, got.body)
		}
	case got.StatusCode == http.StatusUnauthorized && got.code() == problem.SessionRequired:
		if c.signedOut.Add(1); !c.mayForget {
			t.Errorf("GET %s signs a visitor out: %s", path, got.body)
		}
	default:
		t.Errorf("GET %s: %d %s", path, got.StatusCode, got.body)
	}
}

// wait returns once count has grown by n for each visitor.
func (c *crowd) wait(t *testing.T, what string, count *atomic.Int64, n int) {
	t.Helper()
	want := count.Load() + int64(n*len(c.visitors))
	servers.WaitFor(t, what, func(context.Context) error {
		if count.Load() < want {
			return errors.New(c.tally())
		}
		return nil
	})
}

func (c *crowd) tally() string {
	return fmt.Sprintf("%d calls were served, %d refused, %d taken for signed out", c.served.Load(), c.refused.Load(), c.signedOut.Load())
}

// TestAStoreIsKilledUnderLoad: every answer is a good one or says that the
// store is away, and everybody is signed in afterwards, or can be.
func TestAStoreIsKilledUnderLoad(t *testing.T) {
	for name, start := range sharedStores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, store := start(t)
			s := open(t, "http", section)
			c := gather(t, 6, s)
			c.mayForget = name == "memcached"
			c.start(t)
			c.wait(t, "calls to be served", &c.served, 10)
			for range 2 {
				store.Kill()
				c.wait(t, "calls to be refused", &c.refused, 10)
				store.Restart()
				if c.mayForget {
					c.wait(t, "the sessions to be gone", &c.signedOut, 2)
				} else {
					c.wait(t, "calls to be served again", &c.served, 10)
				}
			}
			c.end()
			t.Log(c.tally())
			for _, v := range c.visitors {
				if c.mayForget {
					v.signIn(t)
				}
				servers.WaitFor(t, "the visitor to be served", answers(func() answer { return v.call(t, http.MethodGet, shared.PathUser) }, http.StatusOK))
			}
			if _, leaked := s.issued.in(s.log.String()); leaked != "" {
				t.Error("a token is in the log")
			}
			for _, v := range c.visitors {
				if strings.Contains(s.log.String(), v.ticket(t)) {
					t.Error("a ticket is in the log")
				}
			}
		})
	}
}

func bodyOf(response *http.Response) (string, error) {
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
