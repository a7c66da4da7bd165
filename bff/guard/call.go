package guard

import (
	"errors"
	"net/http"
	"strings"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// checkCall holds three layers against a request of a script (BBA-28): Fetch
// Metadata, Origin, and the static header. Each refuses alone.
//
// Two kinds of request cannot carry the header, since the browser's API for
// them takes none: WebSocket and EventSource. What they send instead, and no
// other origin can, is required of them.
func (g *Guard) checkCall(r *http.Request) error {
	switch r.Method {
	case http.MethodOptions:
		// No origin but ours has business here, and ours needs no preflight (BBA-32).
		return refuse(problem.CrossOrigin, "preflight requests are never approved")
	case http.MethodTrace, http.MethodConnect:
		return refuse(problem.CrossOrigin, "this method is never used by a page")
	}
	if err := g.checkSite(r); err != nil {
		return err
	}
	if err := g.checkOrigin(r); err != nil {
		return err
	}
	if isWebSocket(r) {
		return checkWebSocket(r)
	}
	values := r.Header[headerCSRF]
	switch {
	case len(values) == 1 && values[0] == shared.ValueCSRF:
		return nil // BBA-31: on every method
	case len(values) == 0 && isEventSource(r):
		return checkEventSource(r)
	}
	return refuse(problem.CSRFHeaderMissing, "send the header "+shared.HeaderCSRF+": "+shared.ValueCSRF)
}

// headerCSRF is the key net/http files shared.HeaderCSRF under.
var headerCSRF = http.CanonicalHeaderKey(shared.HeaderCSRF)

// checkSite is the first layer. Same-site is not enough: a sibling subdomain
// may be somebody else's (BBA-29).
func (g *Guard) checkSite(r *http.Request) error {
	if site, ok := fetchHeader(r, "Sec-Fetch-Site"); ok && site != "same-origin" {
		return refuse(problem.CrossOrigin, "Sec-Fetch-Site says that another origin sent this")
	}
	return nil
}

// checkOrigin is the second layer, for browsers without Fetch Metadata.
func (g *Guard) checkOrigin(r *http.Request) error {
	if origin, ok := fetchHeader(r, "Origin"); ok && origin != g.origin {
		return refuse(problem.CrossOrigin, "Origin names another origin")
	}
	return nil
}

// isWebSocket recognises an opening handshake (RFC 6455 §4.1).
func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && hasToken(r.Header["Upgrade"], "websocket") && hasToken(r.Header["Connection"], "upgrade")
}

// checkWebSocket demands an Origin, which checkOrigin has compared: every
// browser sends it with a handshake, and the same-origin policy does not
// apply to WebSockets (RFC 6455 §10.2).
func checkWebSocket(r *http.Request) error {
	if _, ok := fetchHeader(r, "Origin"); !ok {
		return refuse(problem.CrossOrigin, "a WebSocket handshake must name its Origin")
	}
	if mode, ok := fetchHeader(r, "Sec-Fetch-Mode"); ok && mode != "websocket" {
		return refuse(problem.CrossOrigin, "Sec-Fetch-Mode is not that of a WebSocket")
	}
	return nil
}

// isEventSource recognises what EventSource sends (HTML §9.2.3): nothing else
// asks for exactly this type.
func isEventSource(r *http.Request) bool {
	accept := r.Header["Accept"]
	return r.Method == http.MethodGet && len(accept) == 1 && accept[0] == "text/event-stream"
}

// checkEventSource demands Fetch Metadata, since a GET of another origin may
// carry neither Origin nor anything else that gives it away.
func checkEventSource(r *http.Request) error {
	if _, ok := fetchHeader(r, "Sec-Fetch-Site"); !ok {
		return refuse(problem.CSRFHeaderMissing, "an event stream without Sec-Fetch-Site needs the header "+shared.HeaderCSRF)
	}
	if mode, _ := fetchHeader(r, "Sec-Fetch-Mode"); mode != "cors" && mode != "same-origin" {
		return refuse(problem.CrossOrigin, "Sec-Fetch-Mode is not that of an event stream")
	}
	return nil
}

// fetchHeader returns the one value of a header that only browsers set, and
// whether it was sent. Sent twice it has no value, so that it equals nothing:
// somebody between us and the browser is adding to it.
func fetchHeader(r *http.Request, canonical string) (value string, sent bool) {
	switch values := r.Header[canonical]; len(values) {
	case 0:
		return "", false
	case 1:
		return values[0], true
	default:
		return "", true
	}
}

// hasToken looks for a token in a comma-separated header, ignoring case.
func hasToken(values []string, token string) bool {
	for _, line := range values {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// refuse makes the answer for a refused request. detail is shown and logged;
// it is always a constant of ours.
func refuse(code problem.Code, detail string) error {
	return problem.New(code, errors.New("guard: "+detail)).WithDetail(detail)
}
