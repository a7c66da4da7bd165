package idp

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// Fault is one way in which a provider can be wrong, hostile or broken.
type Fault string

// The faults. Those of the ID token leave everything else as it should be.
const (
	FaultNone Fault = ""

	FaultIDTokenIssuer        Fault = "id_token_issuer"         // another provider's
	FaultIDTokenAudience      Fault = "id_token_audience"       // another client's
	FaultIDTokenAudienceExtra Fault = "id_token_audience_extra" // ours and one nobody trusts, azp the other
	FaultIDTokenNonce         Fault = "id_token_nonce"          // of another sign-in
	FaultIDTokenNoNonce       Fault = "id_token_no_nonce"       //
	FaultIDTokenExpired       Fault = "id_token_expired"        // an hour ago
	FaultIDTokenFuture        Fault = "id_token_future"         // iat and nbf an hour ahead
	FaultIDTokenNoSubject     Fault = "id_token_no_sub"         //
	FaultIDTokenSubject       Fault = "id_token_sub"            // another user's; on a refresh OIDC Core §12.2 forbids it
	FaultIDTokenNoIssuedAt    Fault = "id_token_no_iat"         //
	FaultIDTokenNoExpiry      Fault = "id_token_no_exp"         //
	FaultIDTokenAtHash        Fault = "id_token_at_hash"        // of another access token
	FaultIDTokenAlgNone       Fault = "id_token_alg_none"       // not signed
	FaultIDTokenAlgHS256      Fault = "id_token_alg_hs256"      // keyed with the client secret
	FaultIDTokenAlgConfusion  Fault = "id_token_alg_confusion"  // HS256 keyed with the PEM of the public key
	FaultIDTokenSignature     Fault = "id_token_signature"      // one bit wrong
	FaultIDTokenUnknownKey    Fault = "id_token_unknown_key"    // a key that is not published
	FaultIDTokenForgedKey     Fault = "id_token_forged_key"     // that key, under the kid of a published one
	FaultTokenSlow            Fault = "token_slow"              // held until the fault changes or the caller goes
	FaultTokenError           Fault = "token_500"               //
	FaultTokenInvalidJSON     Fault = "token_invalid_json"      //
	FaultTokenNoIDToken       Fault = "token_no_id_token"       //
	FaultTokenNoAccessToken   Fault = "token_no_access_token"   //
	FaultTokenInvalidGrant    Fault = "token_invalid_grant"     //
	FaultTokenAnswerLost      Fault = "token_answer_lost"       // done, rotated, and the connection closed
	FaultDown                 Fault = "down"                    // every connection closed without an answer
	FaultKeysDown             Fault = "keys_500"                // the JWK set cannot be had
	FaultDiscoveryIssuer      Fault = "discovery_issuer"        // metadata of another issuer
	FaultAuthorizeDenied      Fault = "authorize_access_denied" //
	FaultAuthorizeError       Fault = "authorize_server_error"  //
	FaultAuthorizeIssuer      Fault = "authorize_issuer"        // mix-up: `iss` of another provider (RFC 9207 §4)
	FaultAuthorizeNoIssuer    Fault = "authorize_no_issuer"     // announced and not sent
	FaultAuthorizeState       Fault = "authorize_state"         // of another sign-in
)

// Faults lists every fault but FaultNone.
func Faults() []Fault { return slices.Sorted(maps.Keys(effects)) }

// SetFault makes the provider misbehave from now on, until the next call.
// FaultNone mends it. Every call lets go of what FaultTokenSlow holds. It
// panics on a fault that does not exist.
func (p *Provider) SetFault(f Fault) { p.setFault(f, -1) }

// SetFaultTimes is SetFault for the next n token requests; the one after them
// finds the provider mended.
func (p *Provider) SetFaultTimes(f Fault, n int) { p.setFault(f, n) }

func (p *Provider) setFault(f Fault, n int) {
	if _, ok := effects[f]; !ok && f != FaultNone {
		panic("idp: unknown fault " + string(f))
	}
	p.gate.set(f, n)
}

// effect is what a fault does at each place that asks. One of the fields is set.
type effect struct {
	claims    func(c map[string]any, now time.Time)                                     // to the ID token's claims
	sign      func(p *Provider, claims map[string]any, clientID string) (string, error) // instead of signing it
	wire      func(p *Provider, w http.ResponseWriter, r *http.Request, next http.Handler)
	answer    func(params map[string][]string) // to the authorization response
	discovery func(*oidc.DiscoveryConfiguration)
}

// foreignIssuer is a provider that does not exist.
const foreignIssuer = "https://idp.attacker.example"

var effects = map[Fault]effect{
	FaultIDTokenIssuer:   {claims: put("iss", foreignIssuer)},
	FaultIDTokenAudience: {claims: put("aud", []string{"another-client"})},
	FaultIDTokenAudienceExtra: {claims: func(c map[string]any, _ time.Time) {
		c["aud"], c["azp"] = append(slices.Clone(c["aud"].([]any)), "another-client"), "another-client"
	}},
	FaultIDTokenNonce:   {claims: put("nonce", "nonce-of-another-sign-in")},
	FaultIDTokenNoNonce: {claims: drop("nonce")},
	FaultIDTokenExpired: {claims: func(c map[string]any, now time.Time) {
		c["iat"], c["exp"] = now.Add(-2*time.Hour).Unix(), now.Add(-time.Hour).Unix()
	}},
	FaultIDTokenFuture: {claims: func(c map[string]any, now time.Time) {
		c["iat"], c["nbf"], c["exp"] = now.Add(time.Hour).Unix(), now.Add(time.Hour).Unix(), now.Add(2*time.Hour).Unix()
	}},
	FaultIDTokenNoSubject:  {claims: drop("sub")},
	FaultIDTokenSubject:    {claims: put("sub", "user-mallory")},
	FaultIDTokenNoIssuedAt: {claims: drop("iat")},
	FaultIDTokenNoExpiry:   {claims: drop("exp")},
	FaultIDTokenAtHash:     {claims: put("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},

	FaultIDTokenAlgNone:      {sign: signNone},
	FaultIDTokenAlgHS256:     {sign: signWithSecret},
	FaultIDTokenAlgConfusion: {sign: signWithPublicKey},
	FaultIDTokenSignature:    {sign: signBroken},
	FaultIDTokenUnknownKey: {sign: func(_ *Provider, claims map[string]any, _ string) (string, error) {
		return signForeign(claims, "not-published")
	}},
	FaultIDTokenForgedKey: {sign: func(p *Provider, claims map[string]any, _ string) (string, error) {
		return signForeign(claims, p.keys.current().id)
	}},

	FaultTokenSlow: {wire: at(pathToken, func(p *Provider, w http.ResponseWriter, r *http.Request, next http.Handler) {
		p.gate.hold(r.Context())
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // nobody listens: neither the code nor the refresh token is used up
		}
		next.ServeHTTP(w, r)
	})},
	FaultTokenError:         {wire: at(pathToken, say(http.StatusInternalServerError, `{"error":"server_error"}`))},
	FaultTokenInvalidJSON:   {wire: at(pathToken, say(http.StatusOK, `{"access_token":"`))},
	FaultTokenInvalidGrant:  {wire: at(pathToken, say(http.StatusBadRequest, `{"error":"invalid_grant"}`))},
	FaultTokenNoIDToken:     {wire: at(pathToken, withoutMember("id_token"))},
	FaultTokenNoAccessToken: {wire: at(pathToken, withoutMember("access_token"))},
	FaultTokenAnswerLost: {wire: at(pathToken, func(_ *Provider, w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&heldResponse{ResponseWriter: w}, r)
		panic(http.ErrAbortHandler)
	})},
	FaultDown:     {wire: func(*Provider, http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }},
	FaultKeysDown: {wire: at(pathKeys, say(http.StatusInternalServerError, `{"error":"server_error"}`))},

	FaultDiscoveryIssuer:   {discovery: func(c *oidc.DiscoveryConfiguration) { c.Issuer = foreignIssuer }},
	FaultAuthorizeDenied:   {answer: refuse("access_denied")},
	FaultAuthorizeError:    {answer: refuse("server_error")},
	FaultAuthorizeIssuer:   {answer: func(v map[string][]string) { v["iss"] = []string{foreignIssuer} }},
	FaultAuthorizeNoIssuer: {answer: func(v map[string][]string) { delete(v, "iss") }},
	FaultAuthorizeState:    {answer: func(v map[string][]string) { v["state"] = []string{"state-of-another-sign-in"} }},
}

func put(name string, value any) func(map[string]any, time.Time) {
	return func(c map[string]any, _ time.Time) { c[name] = value }
}

func drop(name string) func(map[string]any, time.Time) {
	return func(c map[string]any, _ time.Time) { delete(c, name) }
}

func refuse(code string) func(map[string][]string) {
	return func(v map[string][]string) {
		delete(v, "code")
		v["error"] = []string{code}
	}
}

func signNone(_ *Provider, claims map[string]any, _ string) (string, error) {
	payload, err := json.Marshal(claims)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode(payload) + ".", err
}

func signWithSecret(p *Provider, claims map[string]any, clientID string) (string, error) {
	return signHS256(p, claims, []byte(p.clients[clientID].Secret.Reveal()))
}

func signWithPublicKey(p *Provider, claims map[string]any, _ string) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(p.keys.current().private.Public())
	if err != nil {
		return "", err
	}
	return signHS256(p, claims, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func signHS256(p *Provider, claims map[string]any, key []byte) (string, error) {
	return sign(typeIDToken, claims, jose.SigningKey{Algorithm: jose.HS256, Key: anyLengthHMAC{p.keys.current().id, key}})
}

func signBroken(p *Provider, claims map[string]any, _ string) (string, error) {
	token, err := p.keys.sign(typeIDToken, claims)
	if err != nil {
		return "", err
	}
	signed, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return "", err
	}
	raw[len(raw)/2] ^= 1
	return signed + base64.RawURLEncoding.EncodeToString(raw), nil
}

func signForeign(claims map[string]any, kid string) (string, error) {
	private, err := newSigningKey()
	if err != nil {
		return "", err
	}
	return signRS256(typeIDToken, claims, kid, private)
}

type wireFunc = func(*Provider, http.ResponseWriter, *http.Request, http.Handler)

// at limits a fault to one path.
func at(path string, fault wireFunc) wireFunc {
	return func(p *Provider, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path != path {
			next.ServeHTTP(w, r)
			return
		}
		fault(p, w, r, next)
	}
}

func say(status int, body string) wireFunc {
	return func(_ *Provider, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// withoutMember lets the request through and takes one member out of its answer.
func withoutMember(name string) wireFunc {
	return func(_ *Provider, w http.ResponseWriter, r *http.Request, next http.Handler) {
		held := &heldResponse{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(held, r)
		var members map[string]json.RawMessage
		if json.NewDecoder(bytes.NewReader(held.body.Bytes())).Decode(&members) == nil {
			delete(members, name)
		}
		w.WriteHeader(held.status)
		_ = json.NewEncoder(w).Encode(members)
	}
}
