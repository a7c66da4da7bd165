package idp

import (
	"embed"
	"html/template"
	"net/http"
	"slices"
)

//go:embed pages
var pagesFS embed.FS

var pages = template.Must(template.ParseFS(pagesFS, "pages/*.html"))

type loginView struct {
	Action, Request, Token string
	Client, Name, Error    string
	Users                  []User
}

type consentView struct {
	Action, Request, Token string
	Client, User           string
	Scopes                 []Scope
}

type signOutView struct {
	Action, Request, Token string
	Client, User           string
}

type errorView struct{ Code, Detail string }

// show writes one page. leadsTo is the origin a form on it ends at; a page
// without a form passes none.
func show(w http.ResponseWriter, status int, name, title, leadsTo string, view any) {
	policy := "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action "
	if leadsTo == "" {
		policy += "'none'"
	} else {
		policy += "'self' " + leadsTo
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, "page.html", struct {
		Title, CSS, Body string
		View             any
	}{title, pathCSS, name, view})
}

func showError(w http.ResponseWriter, status int, code, detail string) {
	show(w, status, "error", "This did not work", "", errorView{code, detail})
}

func showGone(w http.ResponseWriter) {
	showError(w, http.StatusBadRequest, "request_gone",
		"This sign-in or sign-out took too long, is done already, or was begun in another browser. Go back to the application and start again.")
}

func (p *Provider) showLogin(w http.ResponseWriter, status int, request authRequest, browser, name, problem string) {
	show(w, status, "login", "Sign in", originOf(request.redirectURI), loginView{
		Action: pathLogin, Request: request.id, Token: p.formToken(stepLogin, request.id, browser),
		Client: p.clients[request.clientID].displayName(), Name: name, Error: problem, Users: p.cfg.Users,
	})
}

func (p *Provider) showConsent(w http.ResponseWriter, request authRequest, s *session, browser string) {
	user, _ := p.userBySubject(s.subject)
	asked := slices.DeleteFunc(p.cfg.scopeWords(), func(scope Scope) bool { return !slices.Contains(request.scopes, scope.Name) })
	show(w, http.StatusOK, "consent", "Allow access", originOf(request.redirectURI), consentView{
		Action: pathConsent, Request: request.id, Token: p.formToken(stepConsent, request.id, browser),
		Client: p.clients[request.clientID].displayName(), User: user.FullName, Scopes: asked,
	})
}

func serveCSS(w http.ResponseWriter, _ *http.Request) {
	css, _ := pagesFS.ReadFile("pages/idp.css")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(css)
}
