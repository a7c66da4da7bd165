package proxy

import (
	"errors"
	"net/http"
	"strings"

	"cloakroom/shared/problem"
)

// forbidden knows the headers by which an answer would act on our whole origin,
// on the browser's future requests, or on a server in front of us: an upstream
// has no business with any of them. name is canonical.
func forbidden(name string) bool {
	switch name {
	// Cookies and storage of our origin.
	case "Set-Cookie", "Set-Cookie2", "Clear-Site-Data",
		"Sec-Session-Registration", "Secure-Session-Registration", "Set-Login",
		// Code that stays: service workers, and where developer tools fetch from.
		"Service-Worker-Allowed", "Sourcemap", "X-Sourcemap",
		// Who may read our answers.
		"Timing-Allow-Origin", // and Access-Control-*
		// How browsers reach our host later on.
		"Strict-Transport-Security", "Public-Key-Pins", "Public-Key-Pins-Report-Only",
		"Expect-Ct", "Alt-Svc", "Accept-Ch", "Critical-Ch", "Use-As-Dictionary",
		"Origin-Agent-Cluster",
		// Reports about our users' visits.
		"Nel", "Report-To", "Reporting-Endpoints", "Content-Security-Policy-Report-Only",
		"Observe-Browsing-Topics", "Attribution-Reporting-Register-Source", "Attribution-Reporting-Register-Trigger",
		// Between us and the upstream (RFC 9449 §8.2).
		"Dpop-Nonce",
		// Navigation that needs no script.
		"Refresh",
		// Orders to a web server or cache in front of us: files to send, answers to keep.
		"X-Accel-Redirect", "X-Accel-Expires", "X-Sendfile", "X-Lighttpd-Send-File",
		"Surrogate-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control": // RFC 9213
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

// wholeInOne is the length in bytes up to which a body of known length is not
// flushed piece by piece: it ends within what the server would hold back, and
// head and body then leave in one write. What has no known length is a stream
// and always flushed.
const wholeInOne = 2 << 10

// receive decides what of an answer's head goes on. What we have set on w
// ourselves, before or since, wins over the upstream's.
func (x *exchange) receive(res *http.Response) error {
	if res.StatusCode == http.StatusSwitchingProtocols && !(x.socket && switchesToWebSocket(res.Header)) {
		return problem.New(problem.UpstreamUnavailable, errors.New("proxy: receive: the upstream switches to a protocol nobody asked for"))
	}
	if res.StatusCode < 100 {
		return problem.New(problem.UpstreamUnavailable, errors.New("proxy: receive: the upstream's status is none"))
	}
	h, ours := res.Header, x.w.Header()
	for name := range h {
		if strings.IndexByte(name, ' ') >= 0 {
			// Before a colon it makes another header of one that may say where the
			// answer ends (RFC 9112 §5.1). net/http lets it pass.
			return problem.New(problem.UpstreamUnavailable, errors.New("proxy: receive: a header's name has a space"))
		}
		if forbidden(name) {
			delete(h, name)
		}
	}
	delete(h, "Trailer") // reply announces what follows
	filterChallenges(h)
	x.relocate(h, "Location")
	x.relocate(h, "Content-Location")
	x.keepPrivate(h)
	for name := range ours {
		if name != "Vary" && name != "Cache-Control" {
			delete(h, name)
		}
	}
	delete(ours, "Cache-Control") // keepPrivate decided
	x.answer = res
	x.bind(res)
	return nil
}

// keepPrivate sees to it that no shared cache keeps an answer which was made
// for one user. Only the upstream knows whether the browser may keep it; when
// it does not say so in terms that exclude shared caches, nobody does. Routes
// without a session serve everyone alike: there its word stands.
func (x *exchange) keepPrivate(h http.Header) {
	said := h["Cache-Control"]
	if x.Auth == None {
		if len(said) == 0 {
			h["Cache-Control"] = noStore
		}
		return
	}
	// RFC 9110 §12.5.5: another ticket, another answer.
	if vary := h["Vary"]; len(vary) > 0 {
		h["Vary"] = append(vary[:len(vary):len(vary)], "Cookie")
	} else {
		h["Vary"] = varyCookie
	}
	if len(said) == 0 {
		h["Cache-Control"] = noStore
		delete(h, "Expires")
		return
	}
	switch directives := parseDirectives(said); {
	case directives["public"], directives["s-maxage"]:
	case directives["private"], directives["no-store"]:
		return
	case directives["no-cache"]:
		h["Cache-Control"] = append(said[:len(said):len(said)], "private")
		return
	}
	h["Cache-Control"] = noStore
	delete(h, "Expires")
}

// Values that many answers share: nobody alters them.
var (
	noStore    = []string{"no-store"}
	varyCookie = []string{"Cookie"}
)

// parseDirectives returns the names in Cache-Control (RFC 9111 §5.2). One that
// is qualified with field names, as in private="x", covers only those fields
// and does not count; s-maxage counts with its value.
func parseDirectives(lines []string) map[string]bool {
	found := map[string]bool{}
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			name, _, qualified := strings.Cut(strings.ToLower(strings.Trim(part, " \t")), "=")
			if !qualified || name == "s-maxage" {
				found[name] = true
			}
		}
	}
	return found
}

// filterChallenges keeps the challenges that a script may read and drops those
// a browser answers itself: it would ask the person for a password in our
// name, and send it to us ever after.
func filterChallenges(h http.Header) {
	lines := h["Www-Authenticate"]
	if len(lines) == 0 {
		return
	}
	var kept []string
	for _, line := range lines {
		scheme, rest, _ := strings.Cut(strings.ToLower(line), " ")
		if (scheme == "bearer" || scheme == "dpop") && !asksPassword(rest) {
			kept = append(kept, line)
		}
	}
	delete(h, "Www-Authenticate")
	if len(kept) > 0 {
		h["Www-Authenticate"] = kept
	}
}

// asksPassword finds a second challenge in the same line, too eagerly rather
// than too late.
func asksPassword(rest string) bool {
	for _, scheme := range []string{"basic", "digest", "negotiate", "ntlm", "mutual", "hoba"} {
		if strings.Contains(rest, scheme) {
			return true
		}
	}
	return false
}
