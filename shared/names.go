package shared

// Paths of the BFF's own endpoints. Everything below BFFPrefix belongs to the
// BFF; the rest is the SPA's or the route table's.
const (
	BFFPrefix     = "/bff/"
	PathLogin     = "/bff/login"
	PathCallback  = "/bff/callback"
	PathUser      = "/bff/user"
	PathInspect   = "/bff/inspect"
	PathLogout    = "/bff/logout"
	PathSignedOut = "/bff/signed-out"
	PathPageCSS   = "/bff/page.css"

	PathBackchannel = "/bff/backchannel"
	PathSessions    = "/bff/sessions" // and one below it: "/bff/sessions/" + handle
	PathEvents      = "/bff/events"
)

// Query parameters of the endpoints above.
const (
	ParamReturnURL = "returnUrl"
	ParamPrompt    = "prompt"
	ParamSID       = "sid"
	ParamSlide     = "slide"
	ParamMaxAge    = "max_age"
	ParamACRValues = "acr_values"
)

// HeaderCSRF must be present with ValueCSRF on every call to the BFF and to a
// proxied API, whatever the method. A page of another origin cannot set it
// without a preflight, and no preflight is ever approved (BBA-30, BBA-31).
const (
	HeaderCSRF = "X-CSRF"
	ValueCSRF  = "1"
)

// CookieName is the session cookie. Browsers that know the __Host-Http- prefix
// refuse to let script set it; older ones still enforce the __Host- in it
// (BBA-25).
const CookieName = "__Host-Http-cloakroom"
