package rp

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"cloakroom/shared/problem"
)

// How often the keys are fetched. Anybody can send a logout token that names a
// key nobody has: a few such may make us look, a stream of them may not. The
// few are for a provider that changes its keys just after it was asked.
const (
	fetchEvery = 10 * time.Second
	fetchBurst = 3
	keysMaxAge = time.Hour // a withdrawn key is believed no longer, while the provider answers
	minRSABits = 2048      // RFC 7518 §3.3
)

// Why a signature was not verified.
var (
	errKeys  = errors.New("the provider's keys cannot be had")
	errNoKey = errors.New("no key of the provider fits the signature")
)

// keySet is the provider's published keys (OIDC Core §10.1.1). It looks again
// when none of those it holds fits, in one request for all who wait. Keys that
// cannot be fetched anew go on verifying.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	flight singleflight.Group
	fetch  *rate.Limiter

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // of keys
	failed  error     // of the last fetch; nil after one that worked
}

var _ oidc.KeySet = (*keySet)(nil)

func (p *Provider) newKeySet(url string) *keySet {
	return &keySet{url: url, client: p.documents, now: p.now, fetch: rate.NewLimiter(rate.Every(fetchEvery), fetchBurst)}
}

// keysError is errKeys with its cause, which may be logged.
type keysError struct {
	code  problem.Code
	cause error
}

func newKeysError(err error) *keysError {
	code, cause, ok := wire(err)
	if !ok {
		code, cause = problem.ProviderError, errKeySet
	}
	return &keysError{code, cause}
}

func (e *keysError) Error() string   { return errKeys.Error() + ": " + e.cause.Error() }
func (e *keysError) Unwrap() []error { return []error{errKeys, e.cause} }

// VerifySignature returns the payload of a compact JWS. Its error is errNoKey
// or a *keysError. Whether its algorithm will do is for the caller to say.
func (s *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, asymmetric())
	if err != nil {
		return nil, errNoKey
	}
	keys, fetched := s.current()
	payload, ok := verifyBy(keys, jws)
	if ok && s.now().Sub(fetched) < keysMaxAge {
		return payload, nil
	}
	if err := s.refresh(ctx); err != nil {
		if ok { // old keys, and none newer to be had
			return payload, nil
		}
		return nil, newKeysError(err)
	}
	keys, _ = s.current()
	if payload, ok = verifyBy(keys, jws); !ok {
		return nil, errNoKey
	}
	return payload, nil
}

// verifyBy tries the keys that the header names, all of them when it names none
// (OIDC Core §10.1).
func verifyBy(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) ([]byte, bool) {
	header := jws.Signatures[0].Header // the compact form has one
	for i := range keys {
		key := &keys[i]
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

func (s *keySet) current() ([]jose.JSONWebKey, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.fetched
}

// refresh fetches the keys, unless that was done a moment ago; then it says
// what came of it. The fetch outlives the caller who began it, for the others.
func (s *keySet) refresh(ctx context.Context) error {
	done := s.flight.DoChan("", func() (any, error) {
		if !s.fetch.AllowN(s.now(), 1) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return nil, s.failed
		}
		keys, err := s.load(context.WithoutCancel(ctx))
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failed = err; err == nil {
			s.keys, s.fetched = keys, s.now()
		}
		return nil, err
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-done:
		return result.Err
	}
}

func (s *keySet) load(ctx context.Context) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json") // RFC 7517 §8.5
	req.Header.Set("Cache-Control", "no-cache")
	resp, err := s.client.Do(req) // an error status is an error here, see bounded
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// errKeySet says that the document is none.
var errKeySet = errors.New("the key set is not valid")

// parseKeys keeps the keys that can verify and passes over the others: sets
// have keys of many kinds in them (RFC 7517 §5).
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	// A set has the member, be it empty (RFC 7517 §5.1). Whatever else came
	// with a good status withdraws no key.
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return nil, errKeySet
	}
	var usable []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && isUsable(key) {
			usable = append(usable, key)
		}
	}
	return usable, nil
}

// isUsable drops private and shared keys, keys for encryption, and short ones.
func isUsable(key jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
		return false
	}
	public, isRSA := key.Key.(*rsa.PublicKey)
	return !isRSA || public.N.BitLen() >= minRSABits
}
