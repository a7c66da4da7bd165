package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"cloakroom/bff/events"
	"cloakroom/bff/login"
	"cloakroom/bff/proxy"
	"cloakroom/bff/refresh"
	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/shared"
)

// relyingParty is the provider as login and refresh want it.
type relyingParty struct{ rp *rp.Provider }

var (
	_ login.Provider       = relyingParty{}
	_ login.LogoutVerifier = relyingParty{}
	_ refresh.Provider     = relyingParty{}
)

func (p relyingParty) Begin(ctx context.Context, asked login.AuthRequest) (string, login.Pending, error) {
	request, err := rp.ParseAuthRequest(asked.Prompt, asked.MaxAge, asked.ACRValues)
	if err != nil {
		return "", login.Pending{}, err
	}
	redirect, pending, err := p.rp.Begin(ctx, request)
	return redirect, login.Pending(pending), err
}

func (p relyingParty) Redeem(ctx context.Context, pending login.Pending, query url.Values) (session.Session, error) {
	who, tokens, err := p.rp.Redeem(ctx, rp.Pending(pending), query)
	if err != nil {
		return session.Session{}, err
	}
	if who.SID == "" {
		// A provider without session management gives none; the sign-out link
		// needs one all the same.
		who.SID = rand.Text()
		who.Claims = append(who.Claims, shared.Claim{Type: "sid", Value: who.SID})
	}
	claims, err := json.Marshal(who.Claims)
	if err != nil {
		return session.Session{}, fmt.Errorf("server: encode the claims: %w", err)
	}
	return session.Session{
		Issuer: who.Issuer, Subject: who.Subject, SID: who.SID, Claims: claims, AuthTime: who.AuthTime, ACR: who.ACR,
		Tokens: session.Tokens(tokens),
	}, nil
}

func (p relyingParty) Refresh(ctx context.Context, old session.Tokens, need refresh.Need) (session.Tokens, error) {
	tokens, err := p.rp.Refresh(ctx, rp.Tokens(old), rp.Target(need))
	if errors.Is(err, rp.ErrInvalidGrant) {
		err = fmt.Errorf("%w: %w", refresh.ErrDead, err)
	}
	return session.Tokens(tokens), err
}

func (p relyingParty) Revoke(ctx context.Context, tokens session.Tokens) error {
	return p.rp.Revoke(ctx, rp.Tokens(tokens))
}

func (p relyingParty) VerifyLogoutToken(ctx context.Context, raw string) (login.LogoutToken, error) {
	token, err := p.rp.VerifyLogoutToken(ctx, raw)
	return login.LogoutToken(token), err
}

func (p relyingParty) EndSessionURL(idToken secret.String, state string) (string, bool) {
	return p.rp.EndSessionURL(idToken, state)
}

// tokenSource grants proxied calls what they may use of their session.
type tokenSource struct {
	desk    session.Desk
	refresh *refresh.Refresher
	hub     *events.Hub
}

var _ proxy.TokenSource = tokenSource{}

// Token implements proxy.TokenSource. A session that has ended does not take
// its cookie along: this answer may arrive after the one that set a new one.
func (t tokenSource) Token(w http.ResponseWriter, r *http.Request, want proxy.Want) (proxy.Grant, error) {
	ticket, s, err := t.desk.Admit(r)
	if err != nil {
		return proxy.Grant{}, err
	}
	if s, err = t.refresh.Fresh(r.Context(), ticket, s, refresh.Need(want)); err != nil {
		return proxy.Grant{}, err
	}
	if err := t.desk.Sessions.Touch(r.Context(), ticket, &s); err != nil {
		return proxy.Grant{}, session.Problem(err)
	}
	if err := t.desk.Browser.Settle(w, r, ticket, &s); err != nil {
		return proxy.Grant{}, session.Problem(err)
	}
	held, _ := s.Grant(want.Resource, want.Scopes) // Fresh saw to it
	return proxy.Grant{Access: held.Access, Key: s.Tokens.Key, Session: ticket.ID()}, nil
}

// OnEnd implements proxy.TokenSource.
func (t tokenSource) OnEnd(g proxy.Grant, f func()) (stop func()) { return t.hub.OnEnd(g.Session, f) }

// Proof implements proxy.TokenSource.
func (tokenSource) Proof(g proxy.Grant, method string, target *url.URL, nonce string) (secret.String, error) {
	return rp.Proof(g.Key, method, target, g.Access, nonce)
}
