package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cloakroom/bff/config"
	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

var cookieFormats = []string{"securecookie", "jws", "jwe", "nested"}

// cookieSection is a config whose sessions are kept by their browsers.
func cookieSection(format, more string) string {
	return fmt.Sprintf("\nsession: {store: cookie, cookie_format: %s, insecure_readable_tokens: true, keys: [{id: k-1, secret: %s}]%s}\n", format, ringKey, more)
}

// at is the same browser before another instance.
func (v *visitor) at(s *stage) *visitor { return &visitor{Client: v.Client, origin: s.origin} }

// held are the cookies of the session.
func (v *visitor) held(t *testing.T) (held []*http.Cookie) {
	t.Helper()
	u, err := url.Parse(v.origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range v.Jar.Cookies(u) {
		if strings.HasPrefix(cookie.Name, shared.CookieName) {
			held = append(held, cookie)
		}
	}
	return held
}

// replayed shows cookies that somebody copied.
func replayed(t *testing.T, s *stage, held []*http.Cookie) int {
	t.Helper()
	r := callOf(t, http.MethodGet, s.origin, shared.PathUser)
	for _, cookie := range held {
		r.AddCookie(cookie)
	}
	return newVisitor(t, s.origin).do(t, r).StatusCode
}

// TestABrowserKeepsItsSession: signed in here, served there and after a
// restart, signed out, and nothing left.
func TestABrowserKeepsItsSession(t *testing.T) {
	for _, format := range cookieFormats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			section := cookieSection(format, "")
			here, there := open(t, "http", section), open(t, "http", section)
			v := newVisitor(t, here.origin)
			v.signIn(t)
			for _, s := range []*stage{here, there, here} {
				if got := v.at(s).call(t, http.MethodGet, "/api/orders"); got.StatusCode != http.StatusOK {
					t.Fatalf("an instance that %s never saw it: %d %s", format, got.StatusCode, got.body)
				}
			}
			var text strings.Builder
			for _, cookie := range v.held(t) {
				text.WriteString(cookie.Value)
			}
			if _, leaked := here.issued.in(text.String()); leaked != "" {
				t.Error("a token stands in a cookie as it is")
			}
			if list := v.devices(t); len(list) != 1 || !list[0].Current {
				t.Errorf("the user's sessions: %+v", list)
			}
			copied := v.held(t)
			v.visit(t, here.origin+logoutLink(t, v))
			if left := v.held(t); len(left) != 0 {
				t.Errorf("%d cookies are left", len(left))
			}
			if got := replayed(t, here, copied); got != http.StatusUnauthorized {
				t.Errorf("the copied cookies where the session ended: %d", got)
			}
			// What this home cannot give, and says so: another instance does not know.
			if got := replayed(t, there, copied); got != http.StatusOK {
				t.Errorf("the copied cookies elsewhere: %d; if they are refused now, the README may say so", got)
			}
		})
	}
}

func TestADenylistClosesTheReplay(t *testing.T) {
	t.Parallel()
	redis := servers.Redis(t)
	section := cookieSection("jwe", fmt.Sprintf(", denylist: {store: redis, url: %q}", "redis://"+redis.Addr()))
	here, there := open(t, "http", section), open(t, "http", section)
	v := newVisitor(t, here.origin)
	v.signIn(t)
	copied := v.held(t)
	if got := replayed(t, there, copied); got != http.StatusOK {
		t.Fatalf("before the sign-out: %d", got)
	}
	v.visit(t, here.origin+logoutLink(t, v))
	if got := replayed(t, here, copied); got != http.StatusUnauthorized {
		t.Errorf("here: %d", got)
	}
	servers.WaitFor(t, "the other instance to refuse it", gone(func() answer {
		r := callOf(t, http.MethodGet, there.origin, shared.PathUser)
		for _, cookie := range copied {
			r.AddCookie(cookie)
		}
		return newVisitor(t, there.origin).do(t, r)
	}))
	v.signIn(t)
	copied = v.held(t)
	redis.Kill()
	servers.WaitFor(t, "nobody to be believed while nobody knows", answers(func() answer {
		return v.at(there).call(t, http.MethodGet, shared.PathUser)
	}, http.StatusServiceUnavailable))
	if len(v.held(t)) != len(copied) {
		t.Error("the cookies were taken away")
	}
}

// TestASessionTooLargeForItsCookiesIsRefusedAtTheSignIn: with an error that says
// so, not with a 431 ever after.
func TestASessionTooLargeForItsCookiesIsRefusedAtTheSignIn(t *testing.T) {
	s := open(t, "http", cookieSection("nested", ", cookie_max_bytes: 1KiB"))
	v := newVisitor(t, s.origin)
	got := v.visit(t, v.begin(t))
	if got.StatusCode != problem.Kinds[problem.SessionTooLarge].Status || !strings.Contains(got.body, string(problem.SessionTooLarge)) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if held := v.held(t); len(held) != 0 {
		t.Errorf("%d cookies were set", len(held))
	}
}

// TestSealedSessionsOutliveRotatedKeys: round after round a new key, on two
// instances and under load, and the oldest is dropped; nobody is signed out.
func TestSealedSessionsOutliveRotatedKeys(t *testing.T) {
	for _, format := range cookieFormats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			section := cookieSection(format, ", idle_timeout: 20s") // sealed anew every second
			instances := []*stage{open(t, "http", section), open(t, "http", section)}
			var visitors []*visitor
			for range 4 {
				v := newVisitor(t, instances[0].origin)
				v.signIn(t)
				visitors = append(visitors, v)
			}
			var stop atomic.Bool
			var calls atomic.Int64
			var load sync.WaitGroup
			for _, v := range visitors {
				load.Go(func() {
					for n := 0; !stop.Load(); n++ {
						if got := v.at(instances[n%2]).call(t, http.MethodGet, shared.PathUser); got.StatusCode != http.StatusOK {
							t.Errorf("%d %s", got.StatusCode, got.body)
							return
						}
						calls.Add(1)
					}
				})
			}
			replace := func(ring []config.Key) {
				for _, s := range instances {
					if err := s.ReplaceKeys(ring); err != nil {
						t.Error(err)
					}
				}
			}
			ring := []config.Key{{ID: "k-1", Secret: secret.New("0123456789abcdef0123456789abcdef")}} // as ringKey says
			for i := range 3 {
				fresh := config.Key{ID: fmt.Sprintf("k-%d", i+2), Secret: secret.New(fmt.Sprintf("secret of key %d, at least 32 bytes", i))}
				replace([]config.Key{ring[0], fresh}) // both open with it before one seals with it
				ring = []config.Key{fresh, ring[0]}
				replace(ring)
				// The first cookie after that may be of an answer that was under way, the
				// second is not.
				awaitAnew(t, visitors)
				awaitAnew(t, visitors)
				from := calls.Load()
				replace(ring[:1])
				servers.WaitFor(t, "calls under the new key alone", func(context.Context) error {
					if n := calls.Load() - from; n < 40 && !t.Failed() {
						return fmt.Errorf("there were %d", n)
					}
					return nil
				})
			}
			stop.Store(true)
			load.Wait()
			t.Logf("%d calls under %s and those before, nobody signed out", calls.Load(), ring[0].ID)
		})
	}
}

// awaitAnew returns once every visitor's browser was given other cookies than
// it has now.
func awaitAnew(t *testing.T, visitors []*visitor) {
	t.Helper()
	for _, v := range visitors {
		before := valuesOf(v.held(t))
		servers.WaitFor(t, "a session to be sealed anew", func(context.Context) error {
			if valuesOf(v.held(t)) == before && !t.Failed() {
				return errors.New("it was not")
			}
			return nil
		})
	}
}

func valuesOf(cookies []*http.Cookie) (values string) {
	for _, c := range cookies {
		values += c.Value + ";"
	}
	return values
}
