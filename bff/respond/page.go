package respond

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS []byte

var page = template.Must(template.New("page").Parse(pageHTML))

// pagePolicy lets an error page have its one style sheet and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// providerAdvice is for what only the provider, or our settings for it, can mend.
const providerAdvice = "Nothing was changed. Try again; if it stays, tell whoever runs this application."

// advice says what a person can do, per code. Codes without one get the way home only.
var advice = map[problem.Code]string{
	problem.LoginCrossSite:      "If you meant to sign in, go on. If you did not, close this page.",
	problem.LoginStateInvalid:   "The link was used already, is too old, or was opened in another browser. Start again.",
	problem.LoginExpired:        "Start again; you have ten minutes to finish.",
	problem.LoginDenied:         "Nothing was changed. You can try again.",
	problem.LoginTooWeak:        "What you wanted to do needs a fresher or stronger sign-in than the one you made. Try again.",
	problem.LoginNotSilent:      "You can sign in yourself.",
	problem.ProviderUnavailable: "Try again in a moment.",
	problem.ProviderTimeout:     "Try again in a moment.",
	problem.StoreUnavailable:    "You are still signed in. Try again in a moment.",
	problem.ReturnURLInvalid:    "The link that led here is wrong. Go on from the start page.",
	problem.LogoutMismatch:      "Sign out from within the application.",
	problem.ProviderError:       providerAdvice,
	problem.ProviderIssuer:      providerAdvice,
	problem.TokenResponse:       providerAdvice,
	problem.TokenUnavailable:    providerAdvice,
	problem.IDTokenMalformed:    providerAdvice,
	problem.IDTokenAlgorithm:    providerAdvice,
	problem.IDTokenSignature:    providerAdvice,
	problem.IDTokenIssuer:       providerAdvice,
	problem.IDTokenAudience:     providerAdvice,
	problem.IDTokenExpired:      providerAdvice,
	problem.IDTokenNonce:        providerAdvice,
	problem.IDTokenClaims:       providerAdvice,
	problem.UserInfoInvalid:     providerAdvice,
}

// retryable are the codes for which "sign in" is the way forward.
var retryable = map[problem.Code]bool{
	problem.LoginCrossSite: true, problem.LoginStateInvalid: true, problem.LoginExpired: true, problem.LoginDenied: true, problem.LoginTooWeak: true, problem.LoginNotSilent: true,
	problem.ProviderUnavailable: true, problem.ProviderTimeout: true, problem.ProviderError: true,
	problem.ProviderIssuer: true, problem.TokenResponse: true, problem.TokenUnavailable: true,
	problem.IDTokenMalformed: true, problem.IDTokenAlgorithm: true, problem.IDTokenSignature: true, problem.IDTokenIssuer: true,
	problem.IDTokenAudience: true, problem.IDTokenExpired: true, problem.IDTokenNonce: true, problem.IDTokenClaims: true, problem.UserInfoInvalid: true,
	problem.SessionRequired: true, problem.SessionEnded: true,
}

func writePage(w http.ResponseWriter, r *http.Request, d problem.Details) {
	view := struct {
		problem.Details
		Advice, Login, Home, CSS string
	}{d, advice[d.Code], "", "/", shared.PathPageCSS}
	if retryable[d.Code] {
		view.Login = shared.PathLogin
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.WriteHeader(d.Status)
	if r.Method != http.MethodHead {
		_ = page.Execute(w, view)
	}
}

// CSS serves the style sheet of the error pages.
func CSS(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(pageCSS)
	return nil
}

func acceptsHTML(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		if mediaType, _, _ := strings.Cut(strings.TrimSpace(part), ";"); mediaType == "text/html" {
			return true
		}
	}
	return false
}
