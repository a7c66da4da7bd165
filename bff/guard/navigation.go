package guard

import (
	"net/http"

	"cloakroom/shared/problem"
)

// checkNavigation admits a page load that the person, or our own page, began.
// A link on another site must not sign anybody in or out.
func (g *Guard) checkNavigation(r *http.Request) error {
	if err := checkVisit(r); err != nil {
		return err
	}
	if site, sent := fetchHeader(r, "Sec-Fetch-Site"); sent {
		if site != "same-origin" && site != "none" {
			return refuse(problem.LoginCrossSite, "the visit began on another site")
		}
	} else if sendsMetadata(r) {
		return refuse(problem.NavigationRequired, "Fetch Metadata is incomplete")
	}
	// A page load by GET has no Origin; if there is one, it must not be foreign.
	if origin, sent := fetchHeader(r, "Origin"); sent && origin != g.origin {
		return refuse(problem.LoginCrossSite, "Origin names another origin")
	}
	return nil
}

// checkReturn admits the provider's redirect. It comes from another site by
// nature; whether it ends a login that began here, the state cookie knows.
func checkReturn(r *http.Request) error {
	return checkVisit(r)
}

// checkVisit admits a GET that fills a tab: no frame, no image, no fetch, and
// no guess of the browser that the person might go there.
//
// A service worker that forwards a navigation turns it into a fetch with an
// empty destination. That is refused too: whoever controls a worker would
// control the sign-in.
func checkVisit(r *http.Request) error {
	if r.Method != http.MethodGet {
		return refuse(problem.MethodNotAllowed, "only a visit by GET is possible here")
	}
	// Prefetch and prerender look like visits in all else (Fetch §"Sec-Purpose");
	// a guess must not sign anybody out or spend an authorization code.
	if len(r.Header["Sec-Purpose"])+len(r.Header["Purpose"])+len(r.Header["X-Moz"]) > 0 {
		return refuse(problem.NavigationRequired, "this address cannot be fetched ahead")
	}
	if !sendsMetadata(r) {
		return nil
	}
	if mode, _ := fetchHeader(r, "Sec-Fetch-Mode"); mode != "navigate" {
		return refuse(problem.NavigationRequired, "Sec-Fetch-Mode is not navigate")
	}
	if dest, _ := fetchHeader(r, "Sec-Fetch-Dest"); dest != "document" {
		return refuse(problem.NavigationRequired, "Sec-Fetch-Dest is not document")
	}
	return nil
}

// sendsMetadata tells a browser with Fetch Metadata from one without. One that
// sends any of it sends all of it.
func sendsMetadata(r *http.Request) bool {
	return len(r.Header["Sec-Fetch-Site"])+len(r.Header["Sec-Fetch-Mode"])+len(r.Header["Sec-Fetch-Dest"]) > 0
}

// checkPage admits reading. Whoever links to the SPA may; framing is refused
// by the headers of the answer.
func checkPage(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse(problem.MethodNotAllowed, "pages can only be read")
	}
	return nil
}

// checkWorker keeps a service worker, which sees every request of the origin
// and outlives the page, from being registered from anything but its own file.
func (g *Guard) checkWorker(r *http.Request) error {
	dest, _ := fetchHeader(r, "Sec-Fetch-Dest")
	if len(r.Header["Service-Worker"]) == 0 && dest != "serviceworker" {
		return nil
	}
	if g.workerPath != "" && r.URL.Path == g.workerPath {
		return nil
	}
	return refuse(problem.NavigationRequired, "this address is not a service worker")
}
