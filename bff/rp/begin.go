package rp

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cloakroom/shared/problem"
)

// AuthRequest is what a sign-in may ask of the provider. The zero value asks
// for nothing in particular.
type AuthRequest struct {
	Prompt string // space-separated, as in OIDC Core §3.1.2.1
}

// Pending is what whoever started a sign-in must remember until the callback,
// for one use and where no other browser can reach it. Each value holds 256
// random bits.
type Pending struct {
	State    string // ties the callback to the browser
	Nonce    string // ties the ID token to the sign-in
	Verifier string // ties the code to this server (RFC 7636)
}

// Begin returns the address to send the browser to. It does no I/O; ctx is
// there for pushed requests (RFC 9126).
func (p *Provider) Begin(_ context.Context, request AuthRequest) (string, Pending, error) {
	options, err := request.options()
	if err != nil {
		return "", Pending{}, fail(problem.ParameterInvalid, "begin", err)
	}
	provider, err := p.metadata()
	if err != nil {
		return "", Pending{}, err
	}
	pending := Pending{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier()}
	options = append(options,
		oidc.Nonce(pending.Nonce),
		oauth2.S256ChallengeOption(pending.Verifier), // RFC 9700 §2.1.1
	)
	return p.client(provider).AuthCodeURL(pending.State, options...), pending, nil
}

// random returns 256 random bits as text. A PKCE verifier is just that, and
// the library's generator is the one already trusted here.
func random() string { return oauth2.GenerateVerifier() }

// options refuses every prompt that OIDC does not define: the value comes from
// the browser's address bar.
func (r AuthRequest) options() ([]oauth2.AuthCodeOption, error) {
	if r.Prompt == "" {
		return nil, nil
	}
	values := strings.Split(r.Prompt, " ")
	for i, value := range values {
		switch value {
		case "none", "login", "consent", "select_account", "create":
		default:
			return nil, errors.New("prompt has a value that OIDC does not define")
		}
		if slices.Contains(values[:i], value) {
			return nil, errors.New("prompt has a value twice")
		}
	}
	if len(values) > 1 && slices.Contains(values, "none") { // OIDC Core §3.1.2.1
		return nil, errors.New("prompt has none and others")
	}
	return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("prompt", r.Prompt)}, nil
}
