package idp

import (
	"crypto/hmac"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
)

// Cookies of the provider's own origin. Neither is Secure on plain http, where
// not every client would send it back; Lax, because a client's redirect must
// bring them along.
const (
	cookieSession = "cloakroom_idp_session" // sid.secret
	cookieBrowser = "cloakroom_idp_browser" // ties forms to one browser before anybody signed in
)

const (
	paramRequest = "request"
	paramToken   = "form_token"
)

func (p *Provider) setCookie(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, p.cookie(name, value))
}

// cookie makes one that lasts as long as the browser; an empty value clears it.
func (p *Provider) cookie(name, value string) *http.Cookie {
	cookie := &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(p.cfg.Issuer, "https://"),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

// sessionOf is the session of the browser that sent header; nil without one.
func (p *Provider) sessionOf(header http.Header) *session {
	cookie, err := (&http.Request{Header: header}).Cookie(cookieSession)
	if err != nil {
		return nil
	}
	sid, half, _ := strings.Cut(cookie.Value, ".")
	return p.state.session(sid, half)
}

// browserOf is the browser's cookie, made when there is none yet.
func (p *Provider) browserOf(w http.ResponseWriter, r *http.Request) string {
	if cookie, err := r.Cookie(cookieBrowser); err == nil && len(cookie.Value) == 32 {
		return cookie.Value
	}
	browser := newID()
	p.setCookie(w, cookieBrowser, browser)
	return browser
}

// formToken is good for one step of one request in one browser, and no form of
// another site can know it.
func (p *Provider) formToken(step, request, browser string) string {
	return hex.EncodeToString(tag(p.state.secretKey, "form", step, request, browser))
}

// genuine reports whether the form r posts is one that this browser was shown.
func (p *Provider) genuine(r *http.Request, step string) bool {
	cookie, err := r.Cookie(cookieBrowser)
	if err != nil {
		return false
	}
	want := p.formToken(step, r.PostFormValue(paramRequest), cookie.Value)
	return hmac.Equal([]byte(want), []byte(r.PostFormValue(paramToken)))
}

// originOf is the origin of a registered URI. Chromium checks form-action
// against the redirects that follow a form, so a page names where it leads.
func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
