package api

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"cloakroom/shared/problem"
)

const (
	fetchTimeout  = 5 * time.Second
	fetchInterval = 10 * time.Second // between fetches: a forged key ID costs the issuer no more
	retryInterval = time.Second      // the same, after a fetch that failed
	keysMaxAge    = 10 * time.Minute // a withdrawn key is believed no longer than this
	maxDocument   = 1 << 20          // bytes of a discovery document or key set
	minRSABits    = 2048             // RFC 7518 §3.3
)

// errUnknownKey: the issuer has no such key.
var errUnknownKey = errors.New("api: the token's key is not the issuer's")

// keySource holds the issuer's public keys and fetches them anew when a token
// names one it does not know, or when they are old.
type keySource struct {
	issuer, url string
	client      *http.Client
	now         func() time.Time
	flight      singleflight.Group

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // of keys
	tried   time.Time // the last fetch, whatever came of it
	lastErr error     // of the last fetch
}

func newKeySource(cfg Config) *keySource {
	return &keySource{issuer: cfg.Issuer, url: cfg.JWKSURL, client: cfg.HTTPClient, now: cfg.Now}
}

// find returns the keys that may have signed, one as a rule. When the issuer
// does not answer, keys that are merely old still count; without any, the
// error says ProviderUnavailable: "not there" is not "down".
func (s *keySource) find(ctx context.Context, id, algorithm string) ([]jose.JSONWebKey, error) {
	if keys, fresh := s.lookup(id, algorithm); fresh && len(keys) > 0 {
		return keys, nil
	}
	_, err, _ := s.flight.Do("", func() (any, error) { return nil, s.refresh(ctx) })
	keys, _ := s.lookup(id, algorithm)
	switch {
	case len(keys) > 0:
		return keys, nil
	case err != nil:
		return nil, problem.New(problem.ProviderUnavailable, err)
	}
	return nil, errUnknownKey
}

func (s *keySource) lookup(id, algorithm string) (keys []jose.JSONWebKey, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.keys {
		if key.KeyID == id && (key.Algorithm == "" || key.Algorithm == algorithm) {
			keys = append(keys, key)
		}
	}
	return keys, s.now().Sub(s.fetched) < keysMaxAge
}

// refresh fetches the keys, unless that was tried a moment ago.
func (s *keySource) refresh(ctx context.Context) error {
	s.mu.Lock()
	interval := fetchInterval
	if s.lastErr != nil {
		interval = retryInterval
	}
	if now := s.now(); s.tried.IsZero() || now.Sub(s.tried) >= interval {
		s.tried = now
	} else {
		defer s.mu.Unlock()
		return s.lastErr
	}
	s.mu.Unlock()

	// Others wait for this fetch: it outlives the request that began it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	keys, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastErr = err
	if err == nil {
		s.keys, s.fetched = keys, s.now()
	}
	return err
}

func (s *keySource) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	url := s.url
	if url == "" {
		var err error
		if url, err = s.discover(ctx); err != nil {
			return nil, err
		}
	}
	var set jose.JSONWebKeySet
	if err := s.get(ctx, url, &set); err != nil {
		return nil, fmt.Errorf("api: fetch keys: %w", err)
	}
	var usable []jose.JSONWebKey
	for _, key := range set.Keys {
		if isUsable(key) {
			usable = append(usable, key)
		}
	}
	return usable, nil
}

// isUsable drops what must not verify a signature: private and symmetric keys,
// keys for encryption, and short ones.
func isUsable(key jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
		return false
	}
	public, isRSA := key.Key.(*rsa.PublicKey)
	return !isRSA || public.N.BitLen() >= minRSABits
}

// discover asks the issuer where its keys are (OIDC Discovery §4).
func (s *keySource) discover(ctx context.Context) (string, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	url := strings.TrimSuffix(s.issuer, "/") + "/.well-known/openid-configuration"
	if err := s.get(ctx, url, &document); err != nil {
		return "", fmt.Errorf("api: discover: %w", err)
	}
	if document.Issuer != s.issuer { // OIDC Discovery §4.3
		return "", errors.New("api: discover: the document is of another issuer")
	}
	if !isHTTPURL(document.JWKSURI) {
		return "", errors.New("api: discover: jwks_uri is not an absolute http or https URL")
	}
	return document.JWKSURI, nil
}

func (s *keySource) get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(into)
}
