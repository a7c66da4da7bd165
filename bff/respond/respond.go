// Package respond turns what a handler returns into what the caller sees.
//
// It owns the one place where an error becomes an answer: problem+json for a
// script, a small page for a person on a navigation. It logs the cause once
// and shows none of it. It never decides anything about a request.
//
//	handler -> error -> Responder -> log line (cause) + answer (code, title)
package respond

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Func is a handler that may fail. It returns an error before it has written
// anything, or nil.
type Func func(w http.ResponseWriter, r *http.Request) error

// Responder answers for failed handlers. The zero value works.
type Responder struct {
	// Log receives one line per failure of the server's side; nil discards.
	Log *slog.Logger
}

// Handler adapts f to net/http.
func (p *Responder) Handler(f Func) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			p.Error(w, r, err)
		}
	})
}

// Error answers r with err: as a page when a browser navigates, else as
// application/problem+json (RFC 9457).
func (p *Responder) Error(w http.ResponseWriter, r *http.Request, err error) {
	details := problem.Of(problem.CodeOf(err))
	details.ID = newID()
	if e, ok := errors.AsType[*problem.Error](err); ok {
		details.Detail = sentence(e.Detail)
	}
	if details.Status == http.StatusUnauthorized {
		details.LoginURL = shared.PathLogin
	}
	p.log(r, details, err)

	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Del("ETag")
	switch details.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "2") // seconds (RFC 9110 §10.2.3)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	}
	if isNavigation(r) {
		writePage(w, r, details)
		return
	}
	h.Set("Content-Type", problem.ContentType)
	w.WriteHeader(details.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(details)
	}
}

// log writes the cause: as an error when the fault is ours, a warning when it
// is another server's, and for debugging only when it is the caller's, who can
// send bad requests, and leave, as often as they like.
func (p *Responder) log(r *http.Request, d problem.Details, err error) {
	if p.Log == nil {
		return
	}
	level := slog.LevelDebug
	switch {
	case r.Context().Err() != nil: // the caller left, and whatever failed failed for that
	case d.Code == problem.Internal:
		level = slog.LevelError
	case d.Status >= 500:
		level = slog.LevelWarn
	}
	p.Log.LogAttrs(r.Context(), level, "request failed",
		slog.String("code", string(d.Code)), slog.String("status", strconv.Itoa(d.Status)),
		slog.String("problem_id", d.ID), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.String("cause", err.Error()))
}

// isNavigation tells a person's page load from a script's call. Browsers that
// send Fetch Metadata say so; for others the Accept header does.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return r.Header.Get(shared.HeaderCSRF) == "" && acceptsHTML(r.Header.Get("Accept"))
}

// sentence gives a detail its capital and its full stop: half of the packages
// write it as they write errors.
func sentence(detail string) string {
	if detail == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(detail)
	text := string(unicode.ToUpper(first)) + detail[size:]
	if !strings.ContainsAny(text[len(text)-1:], ".?!") {
		text += "."
	}
	return text
}

// newID returns 64 random bits in hex: the thread between an answer and a log line.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
