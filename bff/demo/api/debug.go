package api

import (
	"fmt"
	"net/http"
	"strings"
)

// showHeaders answers with every header that got here, so that one can see
// what a proxy lets through. The token is described, never repeated, whichever
// header it is in.
func (a *API) showHeaders(w http.ResponseWriter, r *http.Request, t *accessToken) error {
	seen := map[string][]string{"Host": {r.Host}}
	for name, values := range r.Header {
		for _, value := range values {
			seen[name] = append(seen[name], strings.ReplaceAll(value, t.raw.Reveal(), describe(t)))
		}
	}
	return writeJSON(w, http.StatusOK, seen)
}

func describe(t *accessToken) string {
	return fmt.Sprintf("[token %s; exp=%d; aud=%s; scope=%s]",
		t.raw.Fingerprint(), t.expires.Unix(), strings.Join(t.audience, " "), strings.Join(t.scopes, " "))
}

const (
	defaultEvents = 5
	maxEvents     = 1000
)

// stream sends n events, each flushed by itself: whoever buffers in between is
// found out.
func (a *API) stream(w http.ResponseWriter, r *http.Request, _ *accessToken) error {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	n, err := parseInt(query, "n", defaultEvents, 1, maxEvents)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	for i := range n {
		if _, err := fmt.Fprintf(w, "id: %d\ndata: event %d of %d\n\n", i+1, i+1, n); err != nil {
			return nil // the caller has gone
		}
		if err := control.Flush(); err != nil {
			return nil
		}
	}
	return nil
}
