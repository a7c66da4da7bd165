package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/sealed"
	"cloakroom/bff/session/storetest"
	"cloakroom/shared"
)

// house is a running "cloakroom serve", as users run it: its access log and its
// metrics are on, its config says no more than it must.
type house struct {
	*front
	admin  string
	config string // its file
	key    ringKey
}

// ringKey is its session key, as the config has it.
type ringKey struct{ id, secret string }

const cloakroomConf = `
public_url: %s
provider: {issuer: "%s", client_id: ` + clientID + `, client_secret: ` + clientSecret + `}
api:
  - {path: /api/, upstream: "http://%s/"}
session:
  keys: [%s]
%s`

func newKey() ringKey {
	id, key := config.GenerateKey(time.Now())
	return ringKey{id, key.Reveal()}
}

func (k ringKey) String() string { return fmt.Sprintf("{id: %s, secret: %s}", k.id, k.secret) }

// ring is the key as the packages take it.
func (k ringKey) ring() (*session.KeyRing, error) {
	raw, err := base64.RawURLEncoding.DecodeString(k.secret)
	if err != nil {
		return nil, err
	}
	return session.NewKeyRing([]session.RingKey{{ID: k.id, Secret: secret.New(string(raw))}})
}

// cloakroomConfig is the text of a config file. section is what is in its session
// besides the keys.
func (w *world) cloakroomConfig(name, section string, keys ...ringKey) string {
	var list []string
	for _, key := range keys {
		list = append(list, key.String())
	}
	return fmt.Sprintf(cloakroomConf, w.origin(name), w.issuer, w.upstream.addr(), strings.Join(list, ", "), section)
}

// openCloakroom returns when it is ready and has found the provider.
func (w *world) openCloakroom(s *servers.Stage, name, section string) *house {
	h, command := w.planCloakroom(s, name, section)
	h.server = w.start(s, name, command)
	return h
}

// planCloakroom writes the config, and starts nothing.
func (w *world) planCloakroom(s *servers.Stage, name, section string) (*house, servers.Command) {
	h := &house{
		front: &front{addr: w.addr(name), version: w.cloakroomVersion(s)},
		key:   newKey(), admin: servers.Address(servers.FreePort(s)),
	}
	dir := servers.Dir(s, nil)
	h.config = write(s, dir, "cloakroom.yaml", w.cloakroomConfig(name, section, h.key))
	return h, servers.Command{
		Program: w.cloakroom, Package: "none: make build", Args: []string{"serve", "--config", h.config}, Dir: dir,
		Env:   append(outside(os.Environ()), "CLOAKROOM_LISTEN="+w.addr(name), "CLOAKROOM_ADMIN_LISTEN="+h.admin),
		Ready: h.wholly,
	}
}

// outside is an environment without what configures another Cloakroom.
func outside(environ []string) (kept []string) {
	for _, line := range environ {
		if !strings.HasPrefix(line, "CLOAKROOM_") {
			kept = append(kept, line)
		}
	}
	return kept
}

// wholly waits for the provider too, without which it would be ready.
func (h *house) wholly(ctx context.Context) error {
	status, text, err := get(ctx, "http://"+h.admin+"/readyz")
	if err == nil && (status != http.StatusOK || !strings.Contains(text, `"status":"ready"`)) {
		err = errors.New(text)
	}
	return err
}

func (w *world) cloakroomVersion(s *servers.Stage) string {
	out, err := exec.Command(w.cloakroom, "version").Output()
	s.Must(err)
	return "Cloakroom " + strings.TrimPrefix(strings.TrimSpace(string(out)), "cloakroom ")
}

// memorySession and the others are rows: the session section, and its server.
func memorySession(*servers.Stage) (string, *servers.Process) { return "  store: memory\n", nil }
func jweSession(*servers.Stage) (string, *servers.Process) {
	return "  store: cookie\n  cookie_format: jwe\n", nil
}

func redisSession(s *servers.Stage) (string, *servers.Process) {
	r := servers.Redis(s)
	return "  store: redis\n  url: redis://" + r.Addr() + "\n", r.Process
}

func nearSession(s *servers.Stage) (string, *servers.Process) {
	section, p := redisSession(s)
	return section + "  near_cache: {size: 64MiB, max_age: 2s}\n", p
}

func cloakroomOn(section func(*servers.Stage) (string, *servers.Process)) func(*world, *servers.Stage, string) *front {
	return func(w *world, s *servers.Stage, name string) *front {
		text, store := section(s)
		h := w.openCloakroom(s, name, text)
		h.store = store
		h.calls = w.signedIn(s, name, shared.PathLogin)
		return h.front
	}
}

// openFirstSight signs in once. The cookies of everybody else are sealed here, as
// another instance would that has the same keys; no two calls have the same.
func openFirstSight(w *world, s *servers.Stage, name string) *front {
	text, _ := jweSession(s)
	h := w.openCloakroom(s, name, text)
	h.calls = []*call{w.signIn(s, name, shared.PathLogin)}
	token, _ := w.provider.given()
	h.fresh = func(n int) ([]*call, error) { return w.sealed(name, h.key, token, n) }
	return h.front
}

// sealed makes calls whose cookies are a session each, all with the same access
// token.
func (w *world) sealed(name string, key ringKey, access string, n int) ([]*call, error) {
	ring, err := key.ring()
	if err != nil {
		return nil, err
	}
	held, err := memory.New(memory.Config{})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(held, session.Config{Keys: ring, Lifetimes: lifetimes})
	if err != nil {
		return nil, err
	}
	jar, err := sealed.New(sealed.Config{Cookie: session.Cookie{Name: shared.CookieName}, Format: "jwe", Keys: ring, Sessions: sessions, Ended: sessions})
	if err != nil {
		return nil, err
	}
	body := w.upstream.expect(access)
	calls := make([]*call, n)
	for i := range calls {
		ticket, err := sessions.Create(w.ctx, w.someone(i, access))
		if err != nil {
			return nil, err
		}
		answer := httptest.NewRecorder()
		if err := jar.Give(answer, httptest.NewRequest(http.MethodGet, "/", nil), ticket); err != nil {
			return nil, err
		}
		var pairs []string
		for _, c := range answer.Result().Cookies() {
			if c.MaxAge >= 0 {
				pairs = append(pairs, c.Name+"="+c.Value)
			}
		}
		calls[i] = &call{w.request(name, "Cookie: "+strings.Join(pairs, "; ")), body}
		if err := sessions.Delete(w.ctx, ticket); err != nil {
			return nil, err
		}
	}
	return calls, nil
}

// lifetimes are those of a config that says nothing.
var lifetimes = session.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour}

// someone is a session as a sign-in leaves it, with tokens of the usual size; it is
// as large as those of bench-stores (storetest.Crowd).
func (w *world) someone(i int, access string) session.Session {
	return someone(w.issuer, i, access)
}

func someone(issuer string, i int, access string) session.Session {
	now := time.Now()
	return session.Session{
		Issuer: issuer, Subject: fmt.Sprintf("user-%08d", i), SID: fmt.Sprintf("sid-%016d", i),
		Claims:   fmt.Appendf(nil, `[{"type":"sub","value":"user-%08d"},{"type":"name","value":"User %d"},{"type":"email","value":"user%d@example.com"}]`, i, i, i),
		AuthTime: now, Device: session.Device{UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", Address: "192.0.2.0/24"},
		Tokens: session.Tokens{
			Access: secret.New(access), Refresh: secret.New(storetest.Noise(70)), ID: storetest.JWT(tokensSize - 70 - len(access)),
			AccessExpires: now.Add(tokenLife), Scopes: []string{"openid", "profile", "email", "offline_access"},
		},
	}
}

// get reads an admin page.
func get(ctx context.Context, address string) (status int, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}
