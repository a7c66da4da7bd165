package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says whose tokens are good. Issuer and Audience are required; the
// zero value of everything else is a sound default.
type Config struct {
	// Issuer is what `iss` must be, exactly.
	Issuer string
	// Audience must be in `aud`.
	Audience string
	// JWKSURL serves the issuer's keys; empty: what its discovery document
	// says, asked for with the first request that needs a key.
	JWKSURL string
	// Origin is where the API is reached, as proofs of possession name it; empty:
	// Audience.
	Origin string
	// RequiredScope are the scopes that orders need, all of them; nil: orders.
	RequiredScope []string
	// MaxToken bounds a token before anything parses it, in bytes; 0: 16 KiB.
	MaxToken int
	// AllowedOrigins are those whose pages may call, with a token of their own,
	// and read the answers, by CORS (BBA-56). Empty: no page of another origin.
	AllowedOrigins []string

	// HTTPClient fetches keys; nil: one that follows no redirect and waits 5s.
	HTTPClient *http.Client
	// Now is the clock of tokens and orders; nil: time.Now.
	Now func() time.Time
	// Log receives failures; nil discards.
	Log *slog.Logger

	// Seed is how many orders a subject starts with; nil: DefaultSeed.
	Seed map[string]int
}

// DefaultSeed gives the demo's two people their orders: one has pages of them,
// the other a few.
func DefaultSeed() map[string]int {
	return map[string]int{"user-alice": 1200, "user-bob": 3}
}

func (c Config) withDefaults() Config {
	if c.Origin == "" {
		c.Origin = c.Audience
	}
	if c.RequiredScope == nil {
		c.RequiredScope = []string{"orders"}
	}
	if c.MaxToken == 0 {
		c.MaxToken = 16 << 10
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{
			Timeout:       fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Seed == nil {
		c.Seed = DefaultSeed()
	}
	return c
}

// validate reports every problem at once.
func (c Config) validate() error {
	var errs []error
	if !isHTTPURL(c.Issuer) {
		errs = append(errs, errors.New("api: issuer is not an absolute http or https URL"))
	}
	if c.JWKSURL != "" && !isHTTPURL(c.JWKSURL) {
		errs = append(errs, errors.New("api: JWKS URL is not an absolute http or https URL"))
	}
	if c.Audience == "" {
		errs = append(errs, errors.New("api: no audience"))
	}
	for _, origin := range c.AllowedOrigins {
		if u, err := url.Parse(origin); err != nil || !isHTTPURL(origin) || u.Scheme+"://"+u.Host != origin || u.User != nil || strings.Contains(origin, "*") {
			errs = append(errs, fmt.Errorf("api: %q is not an origin", origin))
		}
	}
	for subject, n := range c.Seed {
		if subject == "" || n < 0 || n > maxOrders {
			errs = append(errs, fmt.Errorf("api: seed of %q: the subject is empty or %d is not from 0 to %d", subject, n, maxOrders))
		}
	}
	return errors.Join(errs...)
}

func isHTTPURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
