// Package dpop checks proofs of possession for the demo's provider and its API
// (RFC 9449), and makes them for tests.
//
// It owns what a proof must be, and that none is good twice. It knows nothing of
// tokens but their hash: which key a token is bound to, its issuer says, and
// whether that is the proof's, its receiver decides. It asks for no nonces: its
// clock is that of whoever calls.
//
//	DPoP header -> Verifier.Verify (method, address, token) -> thumbprint (jkt)
package dpop
