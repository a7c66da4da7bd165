package strategy

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// The cookies of a plainCookie. The flow's lives as long as one sign-in.
const (
	cookieAccess  = "access_token"
	cookieRefresh = "refresh_token"
	cookieFlow    = "flow"
)

// plainCookie is the server of an application that takes HttpOnly for all there
// is to do: a confidential client that puts the tokens themselves into cookies,
// and a proxy that makes an Authorization of one. It signs in with code, PKCE
// and state, checks the token's signature, issuer, audience and expiry, and its
// cookies are HttpOnly, Secure and Strict. What it does without:
//
//   - the cookie is the token: the API takes a copy of it from anybody
//   - a call needs no header, and nobody looks where it comes from: other
//     applications of the site can send one
//   - the cookies' names have no prefix: other applications of the site can set them
//   - signing out removes the cookies; a copy is good until the token expires
type plainCookie struct {
	issuer string
	oauth  oauth2.Config
	client *http.Client // reaches the provider
	tokens *oidc.IDTokenVerifier
	api    http.Handler
}

func (w *World) plainCookie(s lab.Strategy) (http.Handler, error) {
	page, err := w.page(s)
	if err != nil {
		return nil, err
	}
	upstream, err := url.Parse(w.API())
	if err != nil {
		return nil, err
	}
	transport := w.Transport()
	p := &plainCookie{
		issuer: w.Issuer(),
		client: &http.Client{Transport: transport, Timeout: 10 * time.Second},
		oauth: oauth2.Config{
			ClientID: w.ClientID(s.ID), ClientSecret: w.secrets[s.ID].Reveal(), RedirectURL: w.RedirectURI(s), Scopes: strings.Fields(scopes),
			Endpoint: oauth2.Endpoint{
				AuthURL: w.Issuer() + "/authorize", TokenURL: w.Issuer() + "/oauth/token", AuthStyle: oauth2.AuthStyleInHeader,
			},
		},
		api: http.StripPrefix("/api", &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(upstream)
				r.Out.Header.Del("Cookie")
			},
			Transport: transport, ErrorLog: slog.NewLogLogger(w.cfg.Log.Handler(), slog.LevelWarn),
		}),
	}
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), p.client), w.Issuer()+"/keys")
	p.tokens = oidc.NewVerifier(w.Issuer(), keys, &oidc.Config{ClientID: w.API(), SupportedSigningAlgs: []string{oidc.RS256}})

	mux := http.NewServeMux()
	mux.HandleFunc("GET "+shared.PathLogin, p.login)
	mux.HandleFunc("GET "+shared.PathCallback, p.callback)
	mux.HandleFunc("GET "+shared.PathUser, p.user)
	mux.HandleFunc("GET "+shared.PathLogout, p.logout)
	mux.HandleFunc("/api/", p.call)
	mux.Handle("/", page)
	return mux, nil
}

func (p *plainCookie) login(w http.ResponseWriter, r *http.Request) {
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	setCookie(w, cookieFlow, state+"."+verifier, http.SameSiteLaxMode, 10*time.Minute)
	http.Redirect(w, r, p.oauth.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), http.StatusFound)
}

func (p *plainCookie) callback(w http.ResponseWriter, r *http.Request) {
	flow, err := r.Cookie(cookieFlow)
	if err != nil {
		http.Error(w, "no sign-in was begun here", http.StatusBadRequest)
		return
	}
	state, verifier, _ := strings.Cut(flow.Value, ".")
	if r.FormValue("state") != state || r.FormValue("iss") != p.issuer {
		http.Error(w, "this is no answer to the sign-in that was begun here", http.StatusBadRequest)
		return
	}
	token, err := p.oauth.Exchange(p.toProvider(r.Context()), r.FormValue("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		http.Error(w, "the provider gave no tokens", http.StatusBadGateway)
		return
	}
	setCookie(w, cookieFlow, "", http.SameSiteLaxMode, -1)
	keepTokens(w, token)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *plainCookie) user(w http.ResponseWriter, r *http.Request) {
	_, subject, ok := p.token(w, r)
	if !ok {
		http.Error(w, "nobody is signed in", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode([]shared.Claim{{Type: "sub", Value: subject}, {Type: shared.ClaimLogoutURL, Value: shared.PathLogout + "?"}})
}

func (p *plainCookie) logout(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{cookieAccess, cookieRefresh} {
		setCookie(w, name, "", http.SameSiteStrictMode, -1)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *plainCookie) call(w http.ResponseWriter, r *http.Request) {
	token, _, ok := p.token(w, r)
	if !ok {
		http.Error(w, "nobody is signed in", http.StatusUnauthorized)
		return
	}
	r.Header.Set("Authorization", "Bearer "+token)
	p.api.ServeHTTP(w, r)
}

// token is the cookie's, or a new one where that has expired and there is a
// refresh token.
func (p *plainCookie) token(w http.ResponseWriter, r *http.Request) (token, subject string, ok bool) {
	if cookie, err := r.Cookie(cookieAccess); err == nil {
		if claims, err := p.tokens.Verify(r.Context(), cookie.Value); err == nil {
			return cookie.Value, claims.Subject, true
		}
	}
	refresh, err := r.Cookie(cookieRefresh)
	if err != nil {
		return "", "", false
	}
	fresh, err := p.oauth.TokenSource(p.toProvider(r.Context()), &oauth2.Token{RefreshToken: refresh.Value}).Token()
	if err != nil {
		return "", "", false
	}
	claims, err := p.tokens.Verify(r.Context(), fresh.AccessToken)
	if err != nil {
		return "", "", false
	}
	keepTokens(w, fresh)
	return fresh.AccessToken, claims.Subject, true
}

func (p *plainCookie) toProvider(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, p.client)
}

func keepTokens(w http.ResponseWriter, token *oauth2.Token) {
	setCookie(w, cookieAccess, token.AccessToken, http.SameSiteStrictMode, time.Until(token.Expiry))
	setCookie(w, cookieRefresh, token.RefreshToken, http.SameSiteStrictMode, 8*time.Hour)
}

// setCookie sets a cookie, or with a negative age removes it.
func setCookie(w http.ResponseWriter, name, value string, site http.SameSite, age time.Duration) {
	seconds := int(age.Seconds())
	if age < 0 {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: true, SameSite: site})
}
