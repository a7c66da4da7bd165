package login

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"cloakroom/bff/guard"
	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// User says who is signed in: GET /bff/user. It slides the session, unless
// slide=false, so that a page that only watches does not keep it alive.
func (e *Endpoints) User(w http.ResponseWriter, r *http.Request) error {
	query, err := guard.Params(r, shared.ParamSlide)
	if err != nil {
		return err
	}
	slide := query[shared.ParamSlide]
	if slide != "" && slide != "true" && slide != "false" {
		return problem.New(problem.ParameterInvalid, nil).WithDetail("slide is true or false")
	}
	ticket, s, err := e.config.Desk.Admit(r)
	if err != nil {
		return err
	}
	if slide != "false" {
		if err := e.config.Desk.Sessions.Touch(r.Context(), ticket, &s); err != nil {
			return session.Problem(err)
		}
	}
	if err := e.config.Desk.Browser.Settle(w, r, ticket, &s); err != nil {
		return session.Problem(err)
	}
	claims, err := e.claims(ticket, &s)
	if err != nil {
		return err
	}
	return writeJSON(w, claims)
}

// claims are those of the ID token and those about the session.
func (e *Endpoints) claims(t session.Ticket, s *session.Session) ([]json.RawMessage, error) {
	var claims []json.RawMessage
	if err := json.Unmarshal(s.Claims, &claims); err != nil {
		return nil, fmt.Errorf("login: claims of the session: %w", err)
	}
	left := e.config.Desk.Sessions.Lifetimes().Expires(s).Sub(e.config.Now())
	for _, claim := range []shared.Claim{
		{Type: shared.ClaimLogoutURL, Value: shared.PathLogout + "?" + url.Values{shared.ParamSID: {s.SID}}.Encode()},
		{Type: shared.ClaimSessionExpiresIn, Value: int64(left / time.Second)},
		{Type: shared.ClaimSessionState, Value: t.ID().Fingerprint()},
	} {
		raw, err := json.Marshal(claim)
		if err != nil {
			return nil, fmt.Errorf("login: claim %s: %w", claim.Type, err)
		}
		claims = append(claims, raw)
	}
	return claims, nil
}

// Inspect describes what the server holds for the session: GET /bff/inspect.
// It never slides the session and never shows a token.
func (e *Endpoints) Inspect(w http.ResponseWriter, r *http.Request) error {
	ticket, s, err := e.config.Desk.Admit(r)
	if err != nil {
		return err
	}
	return writeJSON(w, shared.Holdings{
		Session: shared.SessionFacts{
			Fingerprint: ticket.ID().Fingerprint(), Store: e.config.StoreName, Refreshes: s.Refreshes,
			Created: s.Created.Unix(), LastSeen: s.LastSeen.Unix(),
			IdleExpires: e.config.Desk.Sessions.Lifetimes().IdleExpires(&s).Unix(), AbsoluteExpires: s.Deadline.Unix(),
		},
		Tokens: tokenFacts(&s),
	})
}

func tokenFacts(s *session.Session) []shared.TokenFacts {
	facts := []shared.TokenFacts{}
	add := func(fact shared.TokenFacts, token secret.String, expires time.Time) {
		if token.Empty() {
			return
		}
		fact.Fingerprint, fact.Bytes = token.Fingerprint(), token.Len()
		if !expires.IsZero() {
			fact.Expires = expires.Unix()
		}
		facts = append(facts, fact)
	}
	add(shared.TokenFacts{Kind: shared.TokenAccess}, s.Tokens.Access, s.Tokens.AccessExpires)
	for _, g := range s.Grants {
		add(shared.TokenFacts{Kind: shared.TokenAccess, Resource: g.Resource, Scopes: g.Scopes}, g.Access, g.Expires)
	}
	add(shared.TokenFacts{Kind: shared.TokenRefresh}, s.Tokens.Refresh, s.Tokens.RefreshExpires)
	add(shared.TokenFacts{Kind: shared.TokenID}, s.Tokens.ID, time.Time{})
	return facts
}

func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("login: encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // the caller left: nobody to tell
	return nil
}
