package strategy

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloakroom/shared/lab"
)

// Visit is one request that reached a server of the world.
type Visit struct {
	Method, Host, Path string
	Origin, From       string // of the page that sent it, and that referred to it, if the browser said so
	Credentials        bool   // it brought a cookie or a token
	Status             int

	query  url.Values
	cookie string
}

// Request is the visit in words, without what a query may hold.
func (v Visit) Request() string { return fmt.Sprintf("%s http://%s%s", v.Method, v.Host, v.Path) }

func (w *World) note(rw http.ResponseWriter, r *http.Request, next http.Handler) {
	visit := Visit{
		Method: r.Method, Host: r.Host, Path: r.URL.Path, Origin: r.Header.Get("Origin"),
		Credentials: r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "",
		query:       r.URL.Query(), cookie: r.Header.Get("Cookie"),
	}
	if from, err := url.Parse(r.Referer()); err == nil && from.Host != "" {
		visit.From = from.Scheme + "://" + from.Host
	}
	call := Call{Method: r.Method, URL: "http://" + r.Host + r.URL.RequestURI(), Header: r.Header.Clone(), Head: headSize(r)}
	recorder := &status{ResponseWriter: rw, code: http.StatusOK}
	next.ServeHTTP(recorder, r)
	visit.Status = recorder.code
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visits = append(w.visits, visit)
	w.remember(call, visit)
}

// Visits are those answered since the first n. To know n, ask with 0 before.
func (w *World) Visits(n int) []Visit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Visit(nil), w.visits[n:]...)
}

// CodeFor is the code that the provider sent to an application's redirect URI
// with that state; empty if none was. It is how the lab puts a code into the
// attacker's hands that the attack itself could not reach.
func (w *World) CodeFor(s lab.Strategy, state string) string {
	for _, v := range w.Visits(0) {
		if "http://"+v.Host+v.Path == w.RedirectURI(s) && v.query.Get("state") == state {
			return v.query.Get("code")
		}
	}
	return ""
}

// CookieCarried reports whether a request to the application brought a cookie
// with value in it: what script keeps in cookies is sent to the server too
// (BBA-59).
func (w *World) CookieCarried(id, value string) bool {
	for _, v := range w.Visits(0) {
		if v.Host == w.host(id) && strings.Contains(v.cookie, value) {
			return true
		}
	}
	return false
}

// status remembers what was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }
