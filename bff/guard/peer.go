package guard

import (
	"net/http"

	"cloakroom/shared/problem"
)

// checkPeer admits a POST of a server. Whatever only a browser sends gives a
// page away that posts a form here: it could hold a token that was stolen, but
// no session is used, so there is nothing of the visitor's to abuse.
func checkPeer(r *http.Request) error {
	if sendsMetadata(r) || len(r.Header["Origin"]) > 0 {
		return refuse(problem.CrossOrigin, "this address is for the provider's server, not for a browser")
	}
	if r.Method != http.MethodPost {
		return refuse(problem.MethodNotAllowed, "only a POST is possible here")
	}
	return nil
}
