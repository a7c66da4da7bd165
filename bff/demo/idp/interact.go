package idp

import (
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	stepLogin   = "login"
	stepConsent = "consent"
	stepSignOut = "sign-out"
)

// interact decides what an authorization request still needs of the person in
// front of the browser: to sign in, to agree, or nothing.
func (p *Provider) interact(w http.ResponseWriter, r *http.Request) {
	browser := p.browserOf(w, r)
	request, ok := p.openRequest(r.URL.Query().Get(paramRequest), browser)
	if !ok {
		showGone(w)
		return
	}
	s := p.sessionOf(r.Header)
	switch {
	case request.needsLogin(s, p.cfg.Now()):
		if request.silent() {
			p.refuse(w, r, request, oidc.ErrLoginRequired())
			return
		}
		p.showLogin(w, http.StatusOK, request, browser, request.loginHint, "")
	case request.needsConsent(p.state.consent(s.subject, request.clientID)):
		if request.silent() {
			p.refuse(w, r, request, &oidc.Error{ErrorType: "consent_required"}) // OIDC Core §3.1.2.6
			return
		}
		p.showConsent(w, request, s, browser)
	default:
		p.answer(w, r, request, s)
	}
}

// openRequest finds a request and ties it to the first browser that asks:
// nobody finishes what another browser began.
func (p *Provider) openRequest(id, browser string) (authRequest, bool) {
	mark := digest(browser)
	request, ok := p.state.changeRequest(id, func(r *authRequest) {
		if r.browser == "" {
			r.browser = mark
		}
	})
	return request, ok && request.browser == mark
}

// posted is the request a genuine form belongs to; it answers other forms.
func (p *Provider) posted(w http.ResponseWriter, r *http.Request, step string) (request authRequest, browser string, ok bool) {
	if err := r.ParseForm(); err != nil || !p.genuine(r, step) {
		showError(w, http.StatusForbidden, "form_expired", "This form was not made for this browser. Go back to the application and start again.")
		return authRequest{}, "", false
	}
	browser = p.browserOf(w, r)
	if request, ok = p.openRequest(r.PostFormValue(paramRequest), browser); !ok {
		showGone(w)
	}
	return request, browser, ok
}

func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	request, browser, ok := p.posted(w, r, stepLogin)
	if !ok {
		return
	}
	name := r.PostFormValue("username")
	user, ok := p.authenticate(name, r.PostFormValue("password"))
	if !ok {
		p.showLogin(w, http.StatusUnprocessableEntity, request, browser, name, "That user name and password do not belong together.")
		return
	}
	if request.hinted != "" && request.hinted != user.Subject {
		p.showLogin(w, http.StatusUnprocessableEntity, request, browser, name, "The application asked for somebody else to sign in.")
		return
	}
	previous := p.sessionOf(r.Header)
	s, cookie := p.state.signIn(user.Subject, previous)
	if previous != nil && previous.sid != s.sid {
		p.end(r.Context(), previous.sid) // another person uses this browser now
	}
	p.setCookie(w, cookieSession, cookie)
	p.state.changeRequest(request.id, func(r *authRequest) { r.freshSID = s.sid })
	p.resume(w, r, request)
}

func (p *Provider) consent(w http.ResponseWriter, r *http.Request) {
	request, _, ok := p.posted(w, r, stepConsent)
	if !ok {
		return
	}
	s := p.sessionOf(r.Header)
	switch {
	case s == nil:
		p.resume(w, r, request) // ended meanwhile: sign in first
	case r.PostFormValue("decision") == "allow":
		p.state.addConsent(s.subject, request.clientID, request.scopes)
		p.state.changeRequest(request.id, func(r *authRequest) { r.consented = true })
		p.resume(w, r, request)
	default:
		p.refuse(w, r, request, oidc.ErrAccessDenied())
	}
}

// resume shows the next step by GET, so that reloading posts nothing twice.
func (p *Provider) resume(w http.ResponseWriter, r *http.Request, request authRequest) {
	http.Redirect(w, r, pathInteraction+"?"+url.Values{paramRequest: {request.id}}.Encode(), http.StatusSeeOther)
}

// answer sends the browser back with a code, or what else was asked for.
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, request authRequest, s *session) {
	request, ok := p.state.changeRequest(request.id, func(r *authRequest) {
		r.sid, r.subject, r.authTime = s.sid, s.subject, s.authTime
	})
	if !ok {
		showGone(w)
		return
	}
	if request.implicit {
		p.grantToken(w, r, &request)
		return
	}
	op.AuthResponse(&request, p.op, w, r)
}

// refuse sends the browser back with an error.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, request authRequest, err error) {
	p.state.dropRequest(request.id)
	op.AuthRequestError(w, r, &request, err, p.op)
}
