package guard

import (
	"net/http"

	"cloakroom/shared/problem"
)

// checkPeer admits a POST of a server. Whatever only a browser sends gives a
// page away that posts a form here: it could hold a token that was stolen, but
// no session is used, so there is nothing of the visitor's to abuse. The mode
// gives nobody away: a provider that runs on Node says "cors", as its fetch
// does, but never from which site.
func checkPeer(r *http.Request) error {
	if len(r.Header["Sec-Fetch-Site"]) > 0 || len(r.Header["Origin"]) > 0 {
		return refuse(problem.CrossOrigin, "this address is for the provider's server, not for a browser")
	}
	if r.Method != http.MethodPost {
		return refuse(problem.MethodNotAllowed, "only a POST is possible here")
	}
	return nil
}
