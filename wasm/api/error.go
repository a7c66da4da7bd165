package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// What a caller branches on, with errors.Is.
var (
	// ErrSignedOut: nobody is signed in here; signing in mends it.
	ErrSignedOut = errors.New("api: signed out")
	// ErrUnavailable: the BFF or what is behind it does not answer now. The
	// session is kept; trying again later mends it.
	ErrUnavailable = errors.New("api: unavailable")
	// ErrOffline: no answer came at all. A call that changes something may or
	// may not have arrived.
	ErrOffline = errors.New("api: offline")
	// ErrUnexpected: the answer is not one the BFF gives.
	ErrUnexpected = errors.New("api: unexpected answer")
)

// Error is a call that failed. Its Details are the BFF's problem document;
// Status is 0 when no answer came.
type Error struct {
	problem.Details
	RetryIn time.Duration // how long the server asks to wait; 0 if it does not say
	Err     error         // the cause on this side, may be nil
	strange bool
}

func (e *Error) Error() string {
	switch {
	case e.Err != nil && e.Code != "":
		return string(e.Code) + ": " + e.Err.Error()
	case e.Err != nil:
		return e.Err.Error()
	default:
		return strconv.Itoa(e.Status) + " " + string(e.Code)
	}
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes the sentinels of this package match.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrSignedOut:
		return e.Status == http.StatusUnauthorized
	case ErrUnavailable:
		return e.Status >= 502 && e.Status <= 504
	case ErrOffline:
		return e.Status == 0 && !e.strange
	case ErrUnexpected:
		return e.strange
	}
	return false
}

// Problem returns the problem document: for a caller that knows this error by
// its methods only.
func (e *Error) Problem() problem.Details { return e.Details }

// RetryAfter returns how long the server asks to wait, 0 if it does not say.
func (e *Error) RetryAfter() time.Duration { return e.RetryIn }

// unexpected is an answer that cannot be taken for what it should be. Status
// stays what it was, except that a "success" is none.
func unexpected(status int, cause error) *Error {
	if status < 400 {
		status = http.StatusBadGateway
	}
	return &Error{
		Details: problem.Details{Title: "The server gave an answer that makes no sense", Status: status},
		Err:     cause, strange: true,
	}
}

// refused reads an answer that is not 2xx. What is not a problem document, such
// as the page of a load balancer, still tells by its status.
func refused(got answer) *Error {
	if got.status < 400 {
		// A redirect; the browser hides where to and calls it status 0.
		return unexpected(got.status, errors.New("redirected"))
	}
	e := &Error{RetryIn: retryAfter(got.retryAfter)}
	if !got.isType(problem.ContentType) || json.Unmarshal(got.body, &e.Details) != nil {
		e.Details = problem.Details{Title: http.StatusText(got.status)}
	}
	e.Status = got.status // the line the browser saw, whatever the body claims
	if !strings.HasPrefix(e.LoginURL, shared.BFFPrefix) {
		e.LoginURL = ""
	}
	return e
}

// retryAfter reads the seconds form, the only one the BFF sends (RFC 9110 §10.2.3).
func retryAfter(value string) time.Duration {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}
