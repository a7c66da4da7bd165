package login

import (
	"crypto/subtle"
	"errors"
	"net/http"

	"cloakroom/bff/guard"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Logout ends the session, first here and then at the provider:
// GET /bff/logout?sid=&returnUrl=. The sid proves that the link is the
// session's own, since a foreign page cannot know it.
func (e *Endpoints) Logout(w http.ResponseWriter, r *http.Request) error {
	query, err := guard.Params(r, shared.ParamSID, shared.ParamReturnURL)
	if err != nil {
		return err
	}
	returnURL, err := guard.ReturnURL(query[shared.ParamReturnURL])
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	ticket, s, err := e.config.Desk.Admit(r)
	if problem.CodeOf(err) == problem.SessionRequired {
		e.clear(w, r)
		http.Redirect(w, r, returnURL, http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err // the store is down: still signed in, so the cookie stays
	}
	if subtle.ConstantTimeCompare([]byte(query[shared.ParamSID]), []byte(s.SID)) != 1 {
		return problem.New(problem.LogoutMismatch, errors.New("sid differs"))
	}
	if err := e.signOut(w, r, ticket, s); err != nil {
		return err
	}
	state, err := e.signedOut.seal(returnURL)
	if err != nil {
		return err
	}
	if provider, ok := e.config.Provider.EndSessionURL(s.Tokens.ID, state); ok {
		returnURL = provider
	}
	http.Redirect(w, r, returnURL, http.StatusSeeOther)
	return nil
}

// SignedOut is where the provider sends the browser after it signed the user
// out there: GET /bff/signed-out?state=. It goes on to the return address that
// Logout sealed into state.
func (e *Endpoints) SignedOut(w http.ResponseWriter, r *http.Request) error {
	query, err := guard.Params(r, "state")
	if err != nil {
		return err
	}
	returnURL, ok := e.signedOut.open(query["state"])
	if !ok {
		returnURL = "/"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, returnURL, http.StatusSeeOther)
	return nil
}

// clear takes back all that the browser holds of us: every cookie by name, and
// what the application kept. "cookies" is not cleared wholesale, since that
// would reach the cookies of every sibling host
// (https://www.w3.org/TR/clear-site-data/#grammardef-cookies).
func (e *Endpoints) clear(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	e.config.Desk.Browser.Take(w, r)
	e.transactions.clear(w, r)
}
