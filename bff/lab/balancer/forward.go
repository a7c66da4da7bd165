package balancer

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"cloakroom/shared/problem"
)

// Request is one that was passed on, or could not be.
type Request struct {
	Start  time.Time
	Took   time.Duration // until its answer began
	Method string
	Path   string // without the query, where codes may be
	// Instance is whose answer it was; "": nobody's, and the balancer said so.
	Instance string
	// Tried are those that could not take it, in their order.
	Tried  []string
	Status int // as the browser got it; 0: the browser left
	// Stuck is how a cookie had its say.
	Stuck Stuck
	// Session is the Fingerprint of the session cookie it came with, and Made of
	// the one its answer sets; "" for none.
	Session, Made string
	// MadeBy is the instance that was seen to set the cookie it came with; "": none.
	MadeBy string
}

// Stuck is how a cookie had its say.
type Stuck string

// What a cookie can come to.
const (
	Free  Stuck = ""      // no cookie names an instance: the policy chose
	Kept  Stuck = "kept"  // the cookie's instance took it
	Moved Stuck = "moved" // the cookie's instance could not
)

// passage is a request on its way.
type passage struct {
	Request
	session string // the cookie's value
	named   string // the instance that a cookie names
	at      *instance
}

type passageKey struct{}

func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := &passage{session: cookieOf(r, b.cfg.Session)}
	p.Start, p.Method, p.Path, p.Session = time.Now(), r.Method, r.URL.Path, Fingerprint(p.session)
	if p.session != "" {
		p.MadeBy = b.table.find(sha256.Sum256([]byte(p.session)))
	}
	switch b.cfg.Policy {
	case OwnCookie:
		p.named = cookieOf(r, CookieName)
	case SessionCookie:
		p.named = p.MadeBy
	}
	defer func() { // also when the answer is broken off, by a panic
		if p.at != nil {
			b.mu.Lock()
			p.at.active--
			b.mu.Unlock()
		}
	}()
	b.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), passageKey{}, p)))
}

// forward is what an instance is told: the request as it came, but for what its
// client says about where it comes from, which is not worth anything.
func forward(r *httputil.ProxyRequest) {
	for name := range r.Out.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			delete(r.Out.Header, name)
		}
	}
	r.SetXForwarded() // RemoteAddr, Host, and whether TLS ended here
	r.Out.URL.Scheme = "http"
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it was, not as ReverseProxy reads it
	if _, ok := r.In.Header["User-Agent"]; !ok {
		r.Out.Header["User-Agent"] = nil
	}
	withoutCookie(r.Out.Header, CookieName)
}

// roundTripper chooses an instance, and another one where that is safe.
type roundTripper struct{ *Balancer }

var errNobody = errors.New("balancer: no instance can take it")

func (b roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	p := r.Context().Value(passageKey{}).(*passage)
	body := &sentBody{ReadCloser: r.Body}
	for {
		i := b.choose(p)
		if i == nil {
			return nil, errNobody
		}
		response, err := b.send(r, i, body)
		if err == nil {
			b.answered(i)
			b.learn(p, i, response)
			p.Instance = i.Name
			b.report(p, response.StatusCode)
			return response, nil
		}
		if r.Context().Err() != nil {
			return nil, err
		}
		b.leave(p)
		p.Tried = append(p.Tried, i.Name)
		again := !body.sent.Load()
		switch op := (*net.OpError)(nil); {
		case errors.As(err, &op) && op.Op == "dial":
			b.refused(i)
		default:
			b.broke(i)
			again = again && safe(r.Method) && r.Header.Get("Upgrade") == ""
		}
		b.cfg.Log.Info("no answer", "name", i.Name, "again", again, "error", err)
		if !again {
			return nil, err
		}
	}
}

// send asks one instance.
func (b *Balancer) send(r *http.Request, i *instance, body *sentBody) (*http.Response, error) {
	out := r.WithContext(r.Context()) // a copy: the next instance gets another
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = body
	}
	u := *r.URL
	u.Host = i.Address
	out.URL = &u
	return b.transport.RoundTrip(out)
}

// safe methods change nothing, so they may be sent twice (RFC 9110 §9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// choose takes an instance for p that was not tried yet; nil: none is left.
func (b *Balancer) choose(p *passage) *instance {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var chosen *instance
	p.Stuck = Free
	if p.named != "" {
		p.Stuck = Moved
		if i := b.find(p.named); i != nil && b.open(i, p, now) {
			p.Stuck, chosen = Kept, i
		}
	}
	for n := 0; chosen == nil && n < len(b.instances); n++ {
		i := b.instances[(b.turn+n)%len(b.instances)]
		if b.open(i, p, now) {
			chosen, b.turn = i, (b.turn+n+1)%len(b.instances)
		}
	}
	if chosen != nil && b.cfg.Policy == LeastConnections {
		for _, i := range b.instances {
			if b.open(i, p, now) && i.active < chosen.active {
				chosen = i
			}
		}
	}
	if chosen != nil {
		chosen.active++
		p.at = chosen
	}
	return chosen
}

func (b *Balancer) open(i *instance, p *passage, now time.Time) bool {
	return !slices.Contains(p.Tried, i.Name) && i.takes(now)
}

func (b *Balancer) leave(p *passage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.at.active--
	p.at = nil
}

// learn takes from an answer what the next request is to be sent by.
func (b *Balancer) learn(p *passage, i *instance, response *http.Response) {
	if made := cookieSet(response.Header, b.cfg.Session); made != "" && made != p.session {
		p.Made = Fingerprint(made)
		b.table.learn(sha256.Sum256([]byte(made)), i.Name)
	}
	if b.cfg.Policy == OwnCookie && p.named != i.Name {
		response.Header.Add("Set-Cookie", (&http.Cookie{
			Name: CookieName, Value: i.Name, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		}).String())
		// Nobody else's cache may hand it on.
		response.Header.Add("Cache-Control", "private")
	}
}

func (b *Balancer) report(p *passage, status int) {
	p.Status, p.Took = status, time.Since(p.Start)
	if b.cfg.Observe != nil {
		b.cfg.Observe(p.Request)
	}
}

// failed answers where no instance did.
func (b *Balancer) failed(w http.ResponseWriter, r *http.Request, err error) {
	p := r.Context().Value(passageKey{}).(*passage)
	if r.Context().Err() != nil {
		b.report(p, 0)
		return
	}
	code := problem.InstanceFailed
	if errors.Is(err, errNobody) {
		code = problem.InstanceUnavailable
	}
	b.report(p, problem.Kinds[code].Status)
	b.answer.Error(w, r, problem.New(code, err))
}

// sentBody knows whether a part of it was sent. Only ReverseProxy closes it: a
// transport that could not connect closes it too, and the next one needs it.
type sentBody struct {
	io.ReadCloser
	sent atomic.Bool
}

func (s *sentBody) Read(p []byte) (int, error) {
	s.sent.Store(true)
	return s.ReadCloser.Read(p)
}

func (*sentBody) Close() error { return nil }
