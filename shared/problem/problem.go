// Package problem is the catalogue of everything that can go wrong as a caller
// sees it: one stable code, status and title each (RFC 9457).
//
// It owns the codes and the error that carries one. It never writes a
// response: that is bff/respond's; and it never shows the cause to a caller.
package problem

import (
	"errors"
	"net/http"
)

// ContentType of a problem document (RFC 9457 §3).
const ContentType = "application/problem+json"

// Details is a problem document. Code is the stable name to branch on; Title
// and Detail are for people. LoginURL comes with every 401 that signing in
// would mend. ID is found again in the server's log.
type Details struct {
	Type     string `json:"type"` // "urn:cloakroom:problem:" + code
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Code     Code   `json:"code"`
	Detail   string `json:"detail,omitempty"`
	LoginURL string `json:"login_url,omitempty"`
	ID       string `json:"id,omitempty"`
}

// Code names one kind of problem. Codes are never renamed.
type Code string

// The codes, in the order of a request's way through the BFF.
const (
	BadRequest          Code = "bad_request"
	PathAmbiguous       Code = "path_ambiguous"
	ParameterDuplicated Code = "parameter_duplicated"
	ParameterInvalid    Code = "parameter_invalid"
	ReturnURLInvalid    Code = "return_url_invalid"
	RequestTooLarge     Code = "request_too_large"
	HostUnknown         Code = "host_unknown"
	NotFound            Code = "not_found"
	MethodNotAllowed    Code = "method_not_allowed"
	RateLimited         Code = "rate_limited"

	CSRFHeaderMissing  Code = "csrf_header_missing"
	CrossOrigin        Code = "cross_origin"
	NavigationRequired Code = "navigation_required"

	SessionRequired  Code = "session_required"
	SessionEnded     Code = "session_ended"
	LogoutMismatch   Code = "logout_mismatch"
	StoreUnavailable Code = "store_unavailable"
	SessionTooLarge  Code = "session_too_large"
	SessionUnknown   Code = "session_unknown"

	LoginCrossSite    Code = "login_cross_site"
	LoginStateInvalid Code = "login_state_invalid"
	LoginExpired      Code = "login_expired"
	LoginDenied       Code = "login_denied"
	LoginTooWeak      Code = "login_too_weak"
	LoginNotSilent    Code = "login_not_silent"

	ProviderUnavailable Code = "provider_unavailable"
	ProviderTimeout     Code = "provider_timeout"
	ProviderError       Code = "provider_error"
	ProviderIssuer      Code = "provider_issuer"
	TokenResponse       Code = "token_response_invalid"
	TokenUnavailable    Code = "token_unavailable"
	IDTokenMalformed    Code = "id_token_malformed"
	IDTokenAlgorithm    Code = "id_token_algorithm"
	IDTokenSignature    Code = "id_token_signature"
	IDTokenIssuer       Code = "id_token_issuer"
	IDTokenAudience     Code = "id_token_audience"
	IDTokenExpired      Code = "id_token_expired"
	IDTokenNonce        Code = "id_token_nonce"
	IDTokenClaims       Code = "id_token_claims"
	UserInfoInvalid     Code = "userinfo_invalid"

	LogoutTokenInvalid  Code = "logout_token_invalid"
	LogoutTokenReplayed Code = "logout_token_replayed"

	UpstreamUnavailable Code = "upstream_unavailable"
	UpstreamTimeout     Code = "upstream_timeout"

	TokenInvalid      Code = "token_invalid"
	InsufficientScope Code = "insufficient_scope"
	OrderInvalid      Code = "order_invalid"

	LabBusy        Code = "lab_busy"
	LabUnavailable Code = "lab_unavailable"

	InstanceUnavailable Code = "instance_unavailable"
	InstanceFailed      Code = "instance_failed"

	ShuttingDown Code = "shutting_down"
	Internal     Code = "internal"
)

// Kind is what a code always means.
type Kind struct {
	Status int
	Title  string
}

// Kinds is the whole catalogue.
var Kinds = map[Code]Kind{
	BadRequest:          {http.StatusBadRequest, "The request could not be read"},
	PathAmbiguous:       {http.StatusBadRequest, "The path can be read in two ways"},
	ParameterDuplicated: {http.StatusBadRequest, "A parameter was sent twice"},
	ParameterInvalid:    {http.StatusBadRequest, "A parameter has a value that is not allowed"},
	ReturnURLInvalid:    {http.StatusBadRequest, "The return address is not a path of this application"},
	RequestTooLarge:     {http.StatusRequestEntityTooLarge, "The request is too large"},
	HostUnknown:         {http.StatusMisdirectedRequest, "This server does not answer for that host"},
	NotFound:            {http.StatusNotFound, "There is nothing here"},
	MethodNotAllowed:    {http.StatusMethodNotAllowed, "This method is not allowed here"},
	RateLimited:         {http.StatusTooManyRequests, "Too many requests"},

	CSRFHeaderMissing:  {http.StatusForbidden, "The X-CSRF header is missing"},
	CrossOrigin:        {http.StatusForbidden, "The request did not come from this application"},
	NavigationRequired: {http.StatusForbidden, "This address can only be visited, not embedded or fetched"},

	SessionRequired:  {http.StatusUnauthorized, "Nobody is signed in"},
	SessionEnded:     {http.StatusUnauthorized, "The session has ended"},
	LogoutMismatch:   {http.StatusBadRequest, "The sign-out link is not of this session"},
	StoreUnavailable: {http.StatusServiceUnavailable, "The session store does not answer"},
	SessionTooLarge:  {http.StatusBadGateway, "The tokens are too large to keep"},
	SessionUnknown:   {http.StatusNotFound, "You have no such session"},

	LoginCrossSite:    {http.StatusForbidden, "Another site started this sign-in"},
	LoginStateInvalid: {http.StatusBadRequest, "This sign-in was not started here"},
	LoginExpired:      {http.StatusBadRequest, "This sign-in took too long"},
	LoginDenied:       {http.StatusForbidden, "The sign-in was cancelled or refused"},
	LoginTooWeak:      {http.StatusForbidden, "The sign-in was not as strong or as recent as asked for"},
	LoginNotSilent:    {http.StatusForbidden, "Nobody can be signed in without being asked"},

	ProviderUnavailable: {http.StatusServiceUnavailable, "The identity provider does not answer"},
	ProviderTimeout:     {http.StatusGatewayTimeout, "The identity provider took too long"},
	ProviderError:       {http.StatusBadGateway, "The identity provider answered with an error"},
	ProviderIssuer:      {http.StatusBadGateway, "The answer came from another identity provider"},
	TokenResponse:       {http.StatusBadGateway, "The identity provider's token answer is not valid"},
	TokenUnavailable:    {http.StatusBadGateway, "The identity provider gave no token for this API"},
	IDTokenMalformed:    {http.StatusBadGateway, "The ID token is malformed"},
	IDTokenAlgorithm:    {http.StatusBadGateway, "The ID token is signed with an algorithm that is not allowed"},
	IDTokenSignature:    {http.StatusBadGateway, "The ID token's signature is not valid"},
	IDTokenIssuer:       {http.StatusBadGateway, "The ID token is from another issuer"},
	IDTokenAudience:     {http.StatusBadGateway, "The ID token is for another audience"},
	IDTokenExpired:      {http.StatusBadGateway, "The ID token has expired or is not valid yet"},
	IDTokenNonce:        {http.StatusBadGateway, "The ID token is not of this sign-in"},
	IDTokenClaims:       {http.StatusBadGateway, "The ID token lacks a claim it must have"},
	UserInfoInvalid:     {http.StatusBadGateway, "The identity provider's user information is not about this user"},

	LogoutTokenInvalid:  {http.StatusBadRequest, "The logout token is not valid"},
	LogoutTokenReplayed: {http.StatusBadRequest, "The logout token was used before"},

	UpstreamUnavailable: {http.StatusBadGateway, "The API does not answer"},
	UpstreamTimeout:     {http.StatusGatewayTimeout, "The API took too long"},

	TokenInvalid:      {http.StatusUnauthorized, "The access token is not valid here"},
	InsufficientScope: {http.StatusForbidden, "The access token does not allow this"},
	OrderInvalid:      {http.StatusUnprocessableEntity, "The order cannot be taken"},

	LabBusy:        {http.StatusConflict, "The lab is busy with another run"},
	LabUnavailable: {http.StatusServiceUnavailable, "The lab cannot run this here"},

	InstanceUnavailable: {http.StatusServiceUnavailable, "No instance can take requests now"},
	InstanceFailed:      {http.StatusBadGateway, "The instance broke off before it answered"},

	ShuttingDown: {http.StatusServiceUnavailable, "The server is shutting down"},
	Internal:     {http.StatusInternalServerError, "Something went wrong on the server"},
}

// Error is a problem on its way to a caller. Detail is shown; Err, the cause,
// is only logged.
type Error struct {
	Code   Code
	Detail string
	Err    error
}

// New returns an Error whose cause is err, which may be nil.
func New(code Code, err error) *Error { return &Error{Code: code, Err: err} }

// WithDetail returns e's code with a sentence for the caller. The sentence must
// not repeat input that could be a secret.
func (e *Error) WithDetail(detail string) *Error {
	return &Error{Code: e.Code, Detail: detail, Err: e.Err}
}

func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code err carries, Internal when it carries none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Of returns the document for a code.
func Of(code Code) Details {
	kind, ok := Kinds[code]
	if !ok {
		code, kind = Internal, Kinds[Internal]
	}
	return Details{Type: "urn:cloakroom:problem:" + string(code), Title: kind.Title, Status: kind.Status, Code: code}
}
