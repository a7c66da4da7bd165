package rp_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

// clocked is a provider whose relying party's time is moved by hand, and that
// counts how often it is asked for its keys.
type clocked struct {
	*idp
	now   time.Time
	asked int
}

func newClocked(t testing.TB) (*clocked, *rp.Provider) {
	c := &clocked{idp: leaving(), now: now}
	c.answers["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
		c.asked++
		writeJSON(w, jose.JSONWebKeySet{Keys: c.keys})
	}
	p, _ := start(t, c.idp, func(config *rp.Config) { config.Now = func() time.Time { return c.now } })
	return c, p
}

// verify has a logout token judged: it needs the keys and nothing else.
func (c *clocked) verify(t testing.TB, p *rp.Provider) error {
	t.Helper()
	c.claims["iat"], c.claims["exp"] = c.now.Unix(), c.now.Add(time.Minute).Unix()
	_, err := p.VerifyLogoutToken(t.Context(), c.idToken())
	return err
}

// unknown makes the next tokens those of a key nobody has.
func (c *clocked) unknown() { c.signer, c.header["kid"] = otherKey(), "unknown" }

// known makes them good again.
func (c *clocked) known() { c.signer, c.header["kid"] = ecKey(), "e" }

func TestUnknownKeysCannotMakeUsAskOften(t *testing.T) {
	c, p := newClocked(t)
	for n := range 200 {
		c.unknown()
		refuses(t, c.verify(t, p), problem.LogoutTokenInvalid, nil)
		c.known()
		if err := c.verify(t, p); err != nil {
			t.Fatalf("after %d: a known key does not verify any more: %v", n, err)
		}
	}
	if c.asked > 3 {
		t.Errorf("200 unknown keys at once: asked %d times", c.asked)
	}
	before := c.asked
	c.unknown()
	for range 600 { // a minute of ten a second
		c.now = c.now.Add(100 * time.Millisecond)
		refuses(t, c.verify(t, p), problem.LogoutTokenInvalid, nil)
	}
	if n := c.asked - before; n < 5 || n > 7 {
		t.Errorf("in a minute: asked %d times, want once in 10 s", n)
	}
	// And a key that is new is found after all.
	c.keys = append(c.keys, jose.JSONWebKey{Key: otherKey().Public(), KeyID: "unknown"})
	c.now = c.now.Add(10 * time.Second)
	if err := c.verify(t, p); err != nil {
		t.Errorf("a new key: %v", err)
	}
}

func TestAKeyMayChangeRightAfterItWasFetched(t *testing.T) {
	c, p := newClocked(t)
	if err := c.verify(t, p); err != nil {
		t.Fatal(err)
	}
	c.unknown()
	c.keys = []jose.JSONWebKey{{Key: otherKey().Public(), KeyID: "unknown"}}
	if err := c.verify(t, p); err != nil {
		t.Errorf("the key changed within the same moment: %v", err)
	}
}

// A provider may change a key and keep its name.
func TestAKeyMayChangeUnderItsName(t *testing.T) {
	c, p := newClocked(t)
	if err := c.verify(t, p); err != nil {
		t.Fatal(err)
	}
	c.signer = otherKey()
	c.keys = []jose.JSONWebKey{{Key: otherKey().Public(), KeyID: "e"}}
	if err := c.verify(t, p); err != nil {
		t.Error(err)
	}
}

func TestAWithdrawnKeyIsNotBelievedForEver(t *testing.T) {
	c, p := newClocked(t)
	if err := c.verify(t, p); err != nil {
		t.Fatal(err)
	}
	c.keys = c.keys[:1] // without the one that signs
	c.now = c.now.Add(59 * time.Minute)
	if err := c.verify(t, p); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	c.now = c.now.Add(time.Minute)
	refuses(t, c.verify(t, p), problem.LogoutTokenInvalid, nil)
}

func TestOldKeysServeWhileTheProviderIsDown(t *testing.T) {
	c, p := newClocked(t)
	if err := c.verify(t, p); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(24 * time.Hour)
	c.down = errors.New("connection refused")
	if err := c.verify(t, p); err != nil {
		t.Errorf("a known key: %v", err)
	}
	c.unknown()
	refuses(t, c.verify(t, p), problem.ProviderUnavailable, nil)
	for range 50 { // throttled, and still no verdict on the token
		refuses(t, c.verify(t, p), problem.ProviderUnavailable, nil)
	}
	c.down = nil
	c.now = c.now.Add(10 * time.Second)
	refuses(t, c.verify(t, p), problem.LogoutTokenInvalid, nil)
	c.known()
	if err := c.verify(t, p); err != nil {
		t.Errorf("after the provider came back: %v", err)
	}
}

// slowKeys lets nobody have the keys before release is closed.
type slowKeys struct {
	*idp
	release chan struct{}
	asked   atomic.Int32
}

func (s *slowKeys) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == "/keys" {
		s.asked.Add(1)
		<-s.release
	}
	return s.idp.RoundTrip(req)
}

func TestManyWhoNeedTheKeysAskOnce(t *testing.T) {
	s := &slowKeys{idp: leaving()}
	synctest.Test(t, func(t *testing.T) {
		s.release = make(chan struct{})
		p, _ := start(t, s.idp, func(c *rp.Config) { c.HTTPClient = &http.Client{Transport: s} })
		raw := s.idToken()
		done := make(chan error, 20)
		left, leave := context.WithCancel(t.Context())
		go func() { // the first to ask leaves before the answer
			_, err := p.VerifyLogoutToken(left, raw)
			refuses(t, err, problem.ProviderUnavailable, nil)
			done <- nil
		}()
		synctest.Wait()
		for range cap(done) - 1 {
			go func() {
				_, err := p.VerifyLogoutToken(t.Context(), raw)
				done <- err
			}()
		}
		leave()
		synctest.Wait()
		close(s.release)
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestAKeyThatMustNotVerifyDoesNot(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*idp){
		"a key for encryption": func(i *idp) { i.keys[1].Use = "enc" },
		"a key for another algorithm": func(i *idp) {
			i.signer, i.alg, i.header["kid"] = rsaKey(), jose.RS256, "r"
			i.keys[0].Algorithm = "PS256"
		},
		"a private key that was published": func(i *idp) { i.keys[1].Key = ecKey() },
		"a short RSA key": func(i *idp) {
			i.signer, i.alg, i.header["kid"] = short, jose.RS256, "r"
			i.keys[0].Key = short.Public()
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			edit(i)
			p, log := start(t, i)
			refuses(t, redeem(t, i, p), problem.IDTokenSignature, log)
		})
	}
}

// TestWhatIsNoKeySetWithdrawsNoKey: an answer with a good status may still be
// that of something in between.
func TestWhatIsNoKeySetWithdrawsNoKey(t *testing.T) {
	for _, body := range []string{`{}`, `{"keys":null}`, `{"error":"temporarily_unavailable"}`, `null`} {
		c, p := newClocked(t)
		if err := c.verify(t, p); err != nil {
			t.Fatal(err)
		}
		c.answer("/keys", http.StatusOK, body)
		c.now = c.now.Add(2 * time.Hour)
		if err := c.verify(t, p); err != nil {
			t.Errorf("%s: a known key: %v", body, err)
		}
		c.unknown()
		refuses(t, c.verify(t, p), problem.ProviderUnavailable, nil)
	}
}
