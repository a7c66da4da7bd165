package rp

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloakroom/shared/problem"
)

// AuthRequest is what a sign-in may ask of the provider. The zero value asks
// for nothing in particular. What is asked is also what the answer is held to.
type AuthRequest struct {
	Prompt string // space-separated, as in OIDC Core §3.1.2.1
	// MaxAge is how long ago, in whole seconds, the user may have proved who
	// they are; 0 asks for it now, nil does not ask.
	MaxAge *time.Duration
	// ACRValues are the ways of signing in that will do, the preferred first
	// (RFC 9470 §4); none asks for none.
	ACRValues []string
}

// Bounds of what is asked: it travels through the browser in a cookie.
const (
	maxMaxAge    = 10 * 365 * 24 * time.Hour
	maxACRValues = 256 // bytes, all together
)

// ParseAuthRequest reads the parameters as they stand in an address, "" being
// none. Its error is a *problem.Error.
func ParseAuthRequest(prompt, maxAge, acrValues string) (AuthRequest, error) {
	request := AuthRequest{Prompt: prompt}
	if maxAge != "" {
		age, err := parseMaxAge(maxAge)
		if err != nil {
			return AuthRequest{}, fail(problem.ParameterInvalid, "begin", err)
		}
		request.MaxAge = &age
	}
	if acrValues != "" {
		request.ACRValues = strings.Split(acrValues, " ")
	}
	if err := request.check(); err != nil {
		return AuthRequest{}, fail(problem.ParameterInvalid, "begin", err)
	}
	return request, nil
}

// parseMaxAge wants digits and nothing else.
func parseMaxAge(text string) (time.Duration, error) {
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil || strconv.FormatUint(seconds, 10) != text {
		return 0, errors.New("max_age is not a number of seconds")
	}
	return time.Duration(seconds) * time.Second, nil
}

// check refuses what the standards do not define: the values come from the
// browser's address bar.
func (r AuthRequest) check() error {
	if r.MaxAge != nil && (*r.MaxAge < 0 || *r.MaxAge > maxMaxAge || *r.MaxAge%time.Second != 0) {
		return errors.New("max_age is not a number of seconds, or of too many")
	}
	for i, value := range r.ACRValues {
		if !isScope(value) {
			return errors.New("acr_values has a value with characters none has")
		}
		if slices.Contains(r.ACRValues[:i], value) {
			return errors.New("acr_values has a value twice")
		}
	}
	if len(strings.Join(r.ACRValues, " ")) > maxACRValues {
		return errors.New("acr_values is too long")
	}
	return r.checkPrompt()
}

func (r AuthRequest) checkPrompt() error {
	if r.Prompt == "" {
		return nil
	}
	values := strings.Split(r.Prompt, " ")
	for i, value := range values {
		switch value {
		case "none", "login", "consent", "select_account", "create":
		default:
			return errors.New("prompt has a value that OIDC does not define")
		}
		if slices.Contains(values[:i], value) {
			return errors.New("prompt has a value twice")
		}
	}
	if len(values) > 1 && slices.Contains(values, "none") { // OIDC Core §3.1.2.1
		return errors.New("prompt has none and others")
	}
	return nil
}

// pending is what the answer will be held to.
func (r AuthRequest) pending() Pending {
	p := Pending{Silent: r.Prompt == "none", ACRValues: strings.Join(r.ACRValues, " ")}
	if r.MaxAge != nil {
		p.MaxAge = strconv.FormatInt(int64(*r.MaxAge/time.Second), 10)
	}
	return p
}
