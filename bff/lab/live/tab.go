package live

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
)

//go:embed agent.js
var agentScript []byte

// tab is the victim's: one page after the other, each with an agent that holds
// a stream of orders as long as the page is there.
type tab struct {
	note    func(format string, args ...any) // what it did, in words
	changed func(away bool)                  // whether a page of the world is there

	mu      sync.Mutex
	page    *page
	arrived chan struct{} // closed and replaced when a page comes
	orders  map[string]*order
	count   int
	going   bool // it was told to leave
}

// page is one document of the world with its agent.
type page struct {
	at   string
	send chan event
	gone chan struct{} // closed when it is left
}

type event struct {
	name string
	data map[string]string
}

// order is an expression to run, and where its result is waited for.
type order struct {
	expression string
	result     chan result
}

type result struct {
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`

	cookies []*http.Cookie
}

var _ attack.Browser = (*tab)(nil)

func newTab(note func(string, ...any), changed func(bool)) *tab {
	return &tab{note: note, changed: changed, arrived: make(chan struct{}), orders: map[string]*order{}}
}

// here is the page that is there, or the next one.
func (t *tab) here(ctx context.Context) (*page, error) {
	for {
		t.mu.Lock()
		page, arrived := t.page, t.arrived
		t.mu.Unlock()
		if page != nil {
			return page, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, fmt.Errorf("live: the victim's tab shows no page of the lab: %w", ctx.Err())
		}
	}
}

// Go leaves for an address, and waits until the page that is there is gone.
// What comes then is waited for by who asks next: it may have no agent.
func (t *tab) Go(ctx context.Context, address string) error {
	page, err := t.here(ctx)
	if err != nil {
		return err
	}
	t.note("goes to %s", address)
	t.mu.Lock()
	t.going = true
	t.mu.Unlock()
	return page.order(ctx, event{"go", map[string]string{"address": address}}, page.gone)
}

// order sends an event, and waits for what follows from it.
func (p *page) order(ctx context.Context, e event, done <-chan struct{}) error {
	select {
	case p.send <- e:
	case <-p.gone:
		return errors.New("live: the page was left")
	case <-ctx.Done():
		return fmt.Errorf("live: %w", ctx.Err())
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("live: %w", ctx.Err())
	}
}

const (
	pace  = 100 * time.Millisecond // between looks at a page
	grace = 2 * time.Second        // for what a page that was left still sends, or holds
)

// Run has the page's agent load the expression as a script. Where no page of
// the world is there, it waits for one.
func (t *tab) Run(ctx context.Context, expression string, out any) error {
	got, err := t.run(ctx, expression, out == nil)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(got.Value, out); err != nil {
		return fmt.Errorf("live: read result: %w", err)
	}
	return nil
}

func (t *tab) run(ctx context.Context, expression string, act bool) (result, error) {
	page, err := t.here(ctx)
	if err != nil {
		return result{}, err
	}
	if act {
		t.note("runs %d bytes of script in %s", len(expression), page.at)
	} else if err := wait(ctx, pace); err != nil {
		return result{}, err
	}
	o := &order{expression, make(chan result, 1)}
	t.mu.Lock()
	t.count++
	id := fmt.Sprint(t.count)
	t.orders[id] = o
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.orders, id)
		t.mu.Unlock()
	}()
	select {
	case page.send <- event{"run", map[string]string{"id": id}}:
	case <-page.gone:
		return result{}, errors.New("live: the page was left")
	case <-ctx.Done():
		return result{}, fmt.Errorf("live: %w", ctx.Err())
	}
	gone := page.gone
	for {
		select {
		case got := <-o.result:
			if got.Error != "" {
				return result{}, fmt.Errorf("live: the page threw: %s", got.Error)
			}
			return got, nil
		case <-gone:
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, grace)
			defer cancel()
			gone = nil
		case <-ctx.Done():
			return result{}, fmt.Errorf("live: the page gave no result: %w", ctx.Err())
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("live: %w", ctx.Err())
	}
}

// Cookies are those the browser sends to the origin of its page: no page reads
// the jar, but its server sees what comes out of it.
func (t *tab) Cookies(ctx context.Context, origin string) ([]*http.Cookie, error) {
	page, err := t.here(ctx)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(page.at, origin+"/") {
		return nil, fmt.Errorf("live: the tab is at %s: only its own server sees the cookies of %s", page.at, origin)
	}
	got, err := t.run(ctx, `""`, false)
	if err != nil {
		return nil, err
	}
	t.note("sends its cookies to %s, HttpOnly ones too: the lab takes those its own server saw, as a page cannot read a jar", origin)
	return got.cookies, nil
}

// Forget visits an address of the origin whose answer has the browser clear it
// (Clear-Site-Data).
func (t *tab) Forget(ctx context.Context, origin string) error {
	t.note("is told to forget cookies and storage of %s", origin)
	return t.Go(ctx, origin+strategy.AgentPath+"forget")
}

// ServeHTTP answers the agent, and nobody of another origin.
func (t *tab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	name, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, strategy.AgentPath), "/")
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		http.Error(w, "for the lab's own pages", http.StatusForbidden)
		return
	}
	switch name {
	case "agent.js":
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(agentScript)
	case "forget":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Clear-Site-Data", `"cookies", "storage"`)
		_, _ = fmt.Fprintf(w, forgotten, strategy.AgentScript)
	case "orders":
		t.stream(w, r)
	case "run":
		t.script(w, strings.TrimSuffix(id, ".js"))
	case "results":
		t.take(w, r, id)
	default:
		http.NotFound(w, r)
	}
}

const forgotten = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Forgotten</title>
<script src="%s"></script><p>This origin has no cookies and no storage any more.</p>
`

// stream holds a page's orders for as long as it is there. While one is there,
// a second page is another tab, which gets none.
func (t *tab) stream(w http.ResponseWriter, r *http.Request) {
	p := &page{at: r.URL.Query().Get("at"), send: make(chan event), gone: make(chan struct{})}
	t.mu.Lock()
	if before := t.page; before != nil {
		t.mu.Unlock()
		select {
		case <-before.gone: // it was being left
			t.stream(w, r)
		case <-time.After(grace):
			w.WriteHeader(http.StatusNoContent) // tells EventSource to stay away (HTML §9.2.3)
		case <-r.Context().Done():
		}
		return
	}
	t.page, t.going = p, false
	close(t.arrived)
	t.arrived = make(chan struct{})
	t.mu.Unlock()
	t.note("shows %s", p.at)
	t.changed(false)
	defer func() {
		t.mu.Lock()
		t.page = nil
		going := t.going
		t.mu.Unlock()
		close(p.gone)
		if !going {
			t.note("left %s", p.at)
			t.changed(true)
		}
	}()

	w.Header().Set("Content-Type", "text/event-stream")
	answer := http.NewResponseController(w)
	if _, err := io.WriteString(w, ":\n\n"); err != nil || answer.Flush() != nil {
		return
	}
	for {
		select {
		case e := <-p.send:
			data, _ := json.Marshal(e.data)
			if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.name, data); err != nil || answer.Flush() != nil || e.name == "over" {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// script is an order as what the page loads.
func (t *tab) script(w http.ResponseWriter, id string) {
	t.mu.Lock()
	o := t.orders[id]
	t.mu.Unlock()
	if o == nil {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = fmt.Fprintf(w, "cloakroomLabAgent(%q, () => (%s\n));\n", id, o.expression)
}

// maxResult bounds a result, in bytes.
const maxResult = 1 << 20

func (t *tab) take(w http.ResponseWriter, r *http.Request, id string) {
	var got result
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxResult)).Decode(&got) != nil {
		http.Error(w, "no result", http.StatusBadRequest)
		return
	}
	got.cookies = r.Cookies()
	t.mu.Lock()
	o := t.orders[id]
	t.mu.Unlock()
	if o != nil {
		select {
		case o.result <- got:
		default:
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// over lets the page go.
func (t *tab) over() {
	t.mu.Lock()
	page := t.page
	t.going = true
	t.mu.Unlock()
	if page == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = page.order(ctx, event{name: "over"}, page.gone)
}
