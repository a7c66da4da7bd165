package idp

import (
	"context"
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// EndSession is OIDC RP-Initiated Logout 1.0. A hint for the session of this
// browser, or for one when the browser has none, is proof enough; everything
// else is a stranger's link, and the person is asked (§2, §4).
func (s server) EndSession(ctx context.Context, r *op.Request[oidc.EndSessionRequest]) (*op.Redirect, error) {
	for _, values := range r.Form {
		if len(values) > 1 {
			return nil, oidc.ErrInvalidRequest().WithDescription("a parameter was sent twice")
		}
	}
	if r.Data.PostLogoutRedirectURI != "" && r.Data.IdTokenHint == "" && r.Data.ClientID == "" {
		return nil, oidc.ErrInvalidRequest().WithDescription("post_logout_redirect_uri needs id_token_hint or client_id")
	}
	request, err := op.ValidateEndSessionRequest(ctx, r.Data, s.p.op)
	if err != nil {
		return nil, err
	}
	hinted := ""
	if request.IDTokenHintClaims != nil {
		if hinted = request.IDTokenHintClaims.SessionID; hinted == "" {
			return nil, oidc.ErrInvalidRequest().WithDescription("id_token_hint is not an ID token of a session")
		}
	}
	current := s.p.sessionOf(r.Header)
	if hinted != "" && (current == nil || current.sid == hinted) {
		s.p.end(ctx, hinted)
		redirect := op.NewRedirect(request.RedirectURI)
		if current != nil {
			redirect.Header.Set("Set-Cookie", s.p.cookie(cookieSession, "").String())
		}
		return redirect, nil
	}
	// Without a hint, nobody signed in may also mean a cross-site POST, which
	// brings no Lax cookie: the page below is a GET and will know.
	id := s.p.state.addLogout(logout{hinted: hinted, redirect: request.RedirectURI, clientID: request.ClientID})
	return op.NewRedirect(pathSignOut + "?" + url.Values{paramRequest: {id}}.Encode()), nil
}

func (p *Provider) askSignOut(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get(paramRequest)
	pending, ok := p.state.logout(id)
	if !ok {
		showGone(w)
		return
	}
	s := p.sessionOf(r.Header)
	if s == nil {
		http.Redirect(w, r, pending.redirect, http.StatusSeeOther)
		return
	}
	user, _ := p.userBySubject(s.subject)
	view := signOutView{
		Action: pathSignOut, Request: id, Token: p.formToken(stepSignOut, id, p.browserOf(w, r)), User: user.FullName,
	}
	if client := p.clients[pending.clientID]; client != nil {
		view.Client = client.displayName()
	}
	show(w, http.StatusOK, "signout", "Sign out", originOf(pending.redirect), view)
}

func (p *Provider) signOut(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || !p.genuine(r, stepSignOut) {
		showError(w, http.StatusForbidden, "form_expired", "This form was not made for this browser.")
		return
	}
	pending, ok := p.state.takeLogout(r.PostFormValue(paramRequest))
	if !ok {
		showGone(w)
		return
	}
	p.end(r.Context(), pending.hinted)
	if s := p.sessionOf(r.Header); s != nil {
		p.end(r.Context(), s.sid)
		p.setCookie(w, cookieSession, "")
	}
	http.Redirect(w, r, pending.redirect, http.StatusSeeOther)
}

func (p *Provider) signedOut(w http.ResponseWriter, _ *http.Request) {
	show(w, http.StatusOK, "signedout", "You are signed out", "", nil)
}

// end forgets a session, revokes its grants and tells its clients. It reports
// whether there was such a session.
func (p *Provider) end(ctx context.Context, sid string) bool {
	s, ok := p.state.endSession(sid)
	if ok {
		p.notify(ctx, s)
	}
	return ok
}
