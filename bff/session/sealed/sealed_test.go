package sealed_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/sealed"
	"cloakroom/shared"
)

var formats = []sealed.Format{sealed.SecureCookie, sealed.JWS, sealed.JWE, sealed.Nested}

// eachFormat runs a test once per format.
func eachFormat(t *testing.T, run func(t *testing.T, format sealed.Format)) {
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) { run(t, format) })
	}
}

// instance is a server that keeps no session of its own.
type instance struct {
	*sealed.Jar
	sessions *session.Manager
	held     *memory.Store // the copies
	now      time.Time
}

// shelf is what instances may share: the notes of what ended.
func newShelf(t testing.TB) session.Store {
	t.Helper()
	store, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func newInstance(t testing.TB, format sealed.Format, ring *session.KeyRing, shelf session.Store, budget int) *instance {
	t.Helper()
	i := &instance{now: time.Now()}
	now := func() time.Time { return i.now }
	lives := session.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour}
	held, err := memory.New(memory.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	i.held = held
	var askAgain time.Duration
	if shelf != nil {
		askAgain = 2 * time.Second
	} else {
		shelf = held
	}
	ended, err := session.New(shelf, session.Config{Keys: ring, Lifetimes: lives, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	i.sessions, err = session.New(sealed.NewCopies(held, ended, lives.Absolute, now), session.Config{Keys: ring, Lifetimes: lives, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	i.Jar, err = sealed.New(sealed.Config{
		Cookie: session.Cookie{Name: shared.CookieName}, Format: format, Keys: ring, Sessions: i.sessions, Ended: ended, Budget: budget, AskAgain: askAgain, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func key(id string) session.RingKey {
	return session.RingKey{ID: id, Secret: secret.New(strings.Repeat(id, 32)[:32])}
}

func ring(t testing.TB, ids ...string) *session.KeyRing {
	t.Helper()
	var keys []session.RingKey
	for _, id := range ids {
		keys = append(keys, key(id))
	}
	made, err := session.NewKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// token is random text, as incompressible as a real one.
func token(size int) secret.String {
	b := make([]byte, size*3/4)
	_, _ = rand.Read(b)
	return secret.New(base64.RawURLEncoding.EncodeToString(b))
}

// newSession is one whose tokens take size bytes.
func newSession(size int) session.Session {
	return session.Session{
		Issuer: "https://idp.example", Subject: "alice-subject", SID: "sid-1", Claims: []byte(`[{"type":"sub","value":"alice-subject"}]`),
		AuthTime: time.Unix(1_800_000_000, 0), ACR: "phr", Device: session.Device{UserAgent: "Browser/1.0", Address: "203.0.113.0/24"},
		Tokens: session.Tokens{
			Access: token(size / 2), Refresh: token(size / 4), ID: token(size / 4), AccessExpires: time.Unix(1_800_000_060, 0),
			RefreshExpires: time.Now().Add(24 * time.Hour).Truncate(time.Second), Scopes: []string{"openid", "orders"}, Key: token(43),
		},
		Grants: []session.Grant{{
			Resource: "https://billing.example", Scopes: []string{"pay"}, Access: token(40), Since: time.Unix(1_800_000_000, 0), Expires: time.Unix(1_800_000_090, 0),
		}},
		Refreshes: 3,
	}
}

// browser keeps cookies as a browser does.
type browser map[string]string

func (b browser) request() *http.Request { return b.over(underWay) }

// underWay is the context of calls that do not end, as a server's can.
var underWay, _ = context.WithCancel(context.Background())

// over is a call with this context: its connection's, say.
func (b browser) over(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://app.example/", nil)
	for name, value := range b {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (b browser) take(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b, c.Name)
			continue
		}
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %s: %+v", c.Name, c)
		}
		if size := len(c.Name) + len(c.Value); size > 4096 {
			t.Errorf("cookie %s has %d bytes: no browser keeps it", c.Name, size)
		}
		b[c.Name] = c.Value
	}
}

// signIn gives the browser a session of the instance.
func (b browser) signIn(t testing.TB, i *instance, s session.Session) session.Ticket {
	t.Helper()
	ticket, err := i.sessions.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	b.give(t, i, ticket)
	return ticket
}

func (b browser) give(t testing.TB, i *instance, ticket session.Ticket) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := i.Give(w, b.request(), ticket); err != nil {
		t.Fatal(err)
	}
	b.take(t, w)
}

// visit shows the cookies to an instance.
func (b browser) visit(t testing.TB, i *instance) (session.Ticket, session.Session, error) {
	t.Helper()
	ticket, err := i.Ticket(b.request())
	if err != nil {
		return ticket, session.Session{}, err
	}
	s, err := i.sessions.Load(t.Context(), ticket)
	return ticket, s, err
}

var byValue = cmp.Options{
	cmp.Comparer(func(a, b secret.String) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b time.Time) bool { return a.Unix() == b.Unix() }),
}

func TestAnyInstanceWithTheKeysOpensASession(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		keys := ring(t, "a")
		here, there := newInstance(t, format, keys, nil, 0), newInstance(t, format, ring(t, "a"), nil, 0)
		b := browser{}
		ticket := b.signIn(t, here, newSession(3500))
		want, err := here.sessions.Load(t.Context(), ticket)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // at first sight, and from the copy
			got, s, err := b.visit(t, there)
			if err != nil || got != ticket {
				t.Fatalf("on the other instance: %v", err)
			}
			if diff := cmp.Diff(want, s, byValue); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		}
		if _, _, err := b.visit(t, newInstance(t, format, ring(t, "b"), nil, 0)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("without the keys: %v", err)
		}
	})
}

func TestOnlyJWSIsReadable(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		i, b := newInstance(t, format, ring(t, "a"), nil, 0), browser{}
		ticket := b.signIn(t, i, newSession(2000))
		s, err := i.sessions.Load(t.Context(), ticket)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for n := range len(b) {
			name := shared.CookieName
			if n > 0 {
				name += fmt.Sprint("-", n)
			}
			text.WriteString(b[name])
		}
		readable := false
		for _, part := range strings.Split(text.String(), ".") {
			plain, _ := base64.RawURLEncoding.DecodeString(part)
			padded, _ := base64.URLEncoding.DecodeString(part)
			for _, secret := range []string{s.Tokens.Access.Reveal(), s.Tokens.Refresh.Reveal(), s.Subject, ticket.Reveal()} {
				readable = readable || bytes.Contains(plain, []byte(secret)) || bytes.Contains(padded, []byte(secret))
			}
		}
		if readable != (format == sealed.JWS) {
			t.Errorf("readable: %v", readable)
		}
	})
}

func TestASessionOfAnySizeIsSplitAndShrinksWithoutLeftovers(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		i, b := newInstance(t, format, ring(t, "a"), nil, 32<<10), browser{}
		for _, size := range []int{100, 8000, 2000, 12000, 5000, 100} {
			ticket := b.signIn(t, i, newSession(size))
			if got, _, err := b.visit(t, newInstance(t, format, ring(t, "a"), nil, 0)); err != nil || got != ticket {
				t.Errorf("%d bytes of tokens in %d cookies: %v", size, len(b), err)
			}
		}
		if len(b) > 1 {
			t.Errorf("%d cookies are left of larger sessions", len(b))
		}
		w := httptest.NewRecorder()
		b.signIn(t, i, newSession(12000))
		i.Take(w, b.request())
		b.take(t, w)
		if len(b) != 0 {
			t.Errorf("%d cookies are left after the sign-out", len(b))
		}
	})
}

func TestASessionBeyondTheBudgetIsRefusedWhenItIsMade(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		i := newInstance(t, format, ring(t, "a"), nil, 6000)
		ticket, err := i.sessions.Create(t.Context(), newSession(8000))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		err = i.Give(w, browser{}.request(), ticket)
		var tooLarge *sealed.TooLargeError
		if !errors.As(err, &tooLarge) || !errors.Is(err, session.ErrTooLarge) || tooLarge.Budget != 6000 || tooLarge.Bytes <= 6000 {
			t.Errorf("got %v", err)
		}
		if len(w.Result().Cookies()) != 0 {
			t.Error("half a session was given")
		}
	})
}

func TestASetThatIsNotWholeOpensNothing(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		i, b, other := newInstance(t, format, ring(t, "a"), nil, 0), browser{}, browser{}
		b.signIn(t, i, newSession(6000))
		other.signIn(t, i, newSession(6000))
		fresh := func() *instance { return newInstance(t, format, ring(t, "a"), nil, 0) }
		if len(b) < 2 {
			t.Fatal("the session is in one cookie")
		}
		for name := range b {
			missing, mixed := browser{}, browser{}
			for n, value := range b {
				if n != name {
					missing[n] = value
				}
				mixed[n] = value
			}
			mixed[name] = other[name]
			for kind, set := range map[string]browser{"missing": missing, "of another set": mixed} {
				if _, err := fresh().Ticket(set.request()); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("%s %s: %v", name, kind, err)
				}
			}
			twice := b.request()
			twice.AddCookie(&http.Cookie{Name: name, Value: b[name]})
			if _, err := fresh().Ticket(twice); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s twice: %v", name, err)
			}
		}
	})
}

// Every bit counts: nothing that was changed is accepted, and nothing brings
// the server down.
func TestNoBitCanBeFlipped(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		i, b := newInstance(t, format, ring(t, "a"), nil, 0), browser{}
		b.signIn(t, i, newSession(60))
		whole := b[shared.CookieName]
		judge := newInstance(t, format, ring(t, "a"), nil, 0)
		connection := sealed.Connection(t.Context(), nil)
		if _, err := judge.Ticket(b.over(connection)); err != nil {
			t.Fatal(err)
		}
		for at := range len(whole) {
			for bit := range 8 {
				changed := []byte(whole)
				changed[at] ^= 1 << bit
				r := httptest.NewRequestWithContext(connection, http.MethodGet, "/", nil)
				r.Header.Set("Cookie", shared.CookieName+"="+string(changed))
				if ticket, err := judge.Ticket(r); !errors.Is(err, session.ErrNotFound) {
					t.Fatalf("bit %d of byte %d (%q): %v, %v", bit, at, changed[at], ticket, err)
				}
			}
		}
	})
}

// The same of a session that takes several cookies: at the ends of each, where
// they are put together, and throughout at a distance.
func TestNoPartOfASplitSessionCanBeChanged(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		i, b := newInstance(t, format, ring(t, "a"), nil, 0), browser{}
		b.signIn(t, i, newSession(6000))
		judge := newInstance(t, format, ring(t, "a"), nil, 0)
		connection := sealed.Connection(t.Context(), nil)
		if _, err := judge.Ticket(b.over(connection)); err != nil || len(b) < 2 {
			t.Fatalf("%d cookies: %v", len(b), err)
		}
		for name, value := range b {
			for at := range len(value) {
				const edge, distance = 24, 17
				if at >= edge && at < len(value)-edge && at%distance != 0 {
					continue
				}
				changed := []byte(value)
				changed[at] ^= 1 << (at % 8)
				lines := name + "=" + string(changed)
				for other, value := range b {
					if other != name {
						lines += "; " + other + "=" + value
					}
				}
				r := httptest.NewRequestWithContext(connection, http.MethodGet, "/", nil)
				r.Header.Set("Cookie", lines)
				if ticket, err := judge.Ticket(r); !errors.Is(err, session.ErrNotFound) {
					t.Fatalf("byte %d of %s (%q): %v, %v", at, name, changed[at], ticket, err)
				}
			}
		}
	})
}

func TestASessionOutlivesTheRotationOfItsKey(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		keys := ring(t, "a")
		i, b := newInstance(t, format, keys, nil, 0), browser{}
		ticket := b.signIn(t, i, newSession(2000))
		before := b[shared.CookieName]
		replace := func(ids ...string) {
			var list []session.RingKey
			for _, id := range ids {
				list = append(list, key(id))
			}
			if err := keys.Replace(list); err != nil {
				t.Fatal(err)
			}
		}
		replace("b", "a")
		if got, _, err := b.visit(t, i); err != nil || got != ticket {
			t.Errorf("under the old key: %v", err)
		}
		b.give(t, i, ticket)
		replace("b")
		if got, _, err := b.visit(t, newInstance(t, format, keys, nil, 0)); err != nil || got != ticket {
			t.Errorf("sealed anew: %v", err)
		}
		if _, _, err := (browser{shared.CookieName: before}).visit(t, newInstance(t, format, keys, nil, 0)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("under a key that was dropped: %v", err)
		}
	})
}

func TestTheBrowserIsGivenWhatChanged(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		i, b := newInstance(t, format, ring(t, "a"), nil, 0), browser{}
		ticket := b.signIn(t, i, newSession(1000))
		settle := func(s *session.Session) int {
			t.Helper()
			w := httptest.NewRecorder()
			if err := i.Settle(w, b.request(), ticket, s); err != nil {
				t.Fatal(err)
			}
			b.take(t, w)
			return len(w.Result().Cookies())
		}
		_, s, err := b.visit(t, i)
		if err != nil {
			t.Fatal(err)
		}
		if n := settle(&s); n != 0 {
			t.Errorf("nothing changed, and %d cookies were set", n)
		}
		stale := browser{shared.CookieName: b[shared.CookieName]}
		s, err = i.sessions.Update(t.Context(), ticket, func(s *session.Session) error {
			s.Tokens.Access, s.Refreshes = secret.New("renewed"), s.Refreshes+1
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := settle(&s); n == 0 {
			t.Error("the browser was not given the renewed tokens")
		}
		there := newInstance(t, format, ring(t, "a"), nil, 0)
		for _, set := range []browser{b, stale} { // a slow answer brings the old state: the newer one stays
			if _, s, err := set.visit(t, there); err != nil || s.Tokens.Access.Reveal() != "renewed" {
				t.Errorf("on another instance: %q, %v", s.Tokens.Access.Reveal(), err)
			}
		}
	})
}

func TestASessionThatEndedCannotBeReplayed(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		for _, c := range []struct {
			name   string
			shared bool
			there  bool // whether another instance accepts the replay
		}{
			{"without a denylist: not where it ended, but elsewhere", false, true},
			{"with a denylist: nowhere", true, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				var shelf session.Store
				if c.shared {
					shelf = newShelf(t)
				}
				here, there := newInstance(t, format, ring(t, "a"), shelf, 0), newInstance(t, format, ring(t, "a"), shelf, 0)
				b := browser{}
				ticket := b.signIn(t, here, newSession(500))
				if _, _, err := b.visit(t, there); err != nil {
					t.Fatal(err)
				}
				if err := here.sessions.Delete(t.Context(), ticket); err != nil {
					t.Fatal(err)
				}
				if _, _, err := b.visit(t, here); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("here: %v", err)
				}
				there.now = there.now.Add(2 * time.Second)
				if _, _, err := b.visit(t, there); errors.Is(err, session.ErrNotFound) == c.there {
					t.Errorf("there: %v", err)
				}
			})
		}
	})
}

// hooked is a shelf on which something happens right after it was read.
type hooked struct {
	session.Store
	after func()
}

func (h *hooked) Get(ctx context.Context, id session.ID) (session.Record, error) {
	r, err := h.Store.Get(ctx, id)
	if after := h.after; after != nil {
		h.after = nil
		after()
	}
	return r, err
}

func TestASignOutWinsOverACookieThatIsJustOpened(t *testing.T) {
	shelf := &hooked{Store: newShelf(t)}
	i, b := newInstance(t, sealed.JWE, ring(t, "a"), shelf, 0), browser{}
	there := newInstance(t, sealed.JWE, ring(t, "a"), shelf, 0)
	ticket := b.signIn(t, i, newSession(500))
	shelf.after = func() { // it was not ended yet, and now it is
		if err := there.sessions.Delete(t.Context(), ticket); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := b.visit(t, there); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the visit during the sign-out: %v", err)
	}
	if _, err := there.sessions.Load(t.Context(), ticket); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the session is back: %v", err)
	}
}

func TestACookieEndsInItsTime(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		for name, c := range map[string]struct {
			passed time.Duration
			live   bool
		}{
			"shortly before the idle timeout": {29 * time.Minute, true},
			"after the idle timeout":          {30*time.Minute + time.Second, false},
		} {
			i, b := newInstance(t, format, ring(t, "a"), nil, 0), browser{}
			b.signIn(t, i, newSession(500))
			there := newInstance(t, format, ring(t, "a"), nil, 0)
			there.now = there.now.Add(c.passed)
			if _, _, err := b.visit(t, there); (err == nil) != c.live || err != nil && !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
