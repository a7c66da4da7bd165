// Package clientkey reads the private key by which a client proves who it is
// (private_key_jwt, OIDC Core §9).
//
// It owns which files are such a key and which algorithms a key signs with. It
// signs nothing and never puts a part of the key into an error.
package clientkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/secret"
)

// minRSABits is the least RFC 7518 §3.3 allows.
const minRSABits = 2048

// Key is a private key and how to sign with it.
type Key struct {
	Private crypto.Signer
	// ID is what the file calls the key; "" when it says nothing.
	ID string
	// Algorithms are those the key can sign with, the strongest first; one,
	// when the file names it.
	Algorithms []jose.SignatureAlgorithm
}

// Parse reads a private key: PEM (PKCS #8, or the older forms of EC and RSA
// keys), or one JWK (RFC 7517). An error says what is wrong with it, never what
// is in it.
func Parse(text secret.String) (Key, error) {
	raw := strings.TrimSpace(text.Reveal())
	if strings.HasPrefix(raw, "{") {
		return parseJWK(raw)
	}
	for rest := []byte(raw); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return Key{}, errors.New("is neither a private key in PEM nor a JWK")
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return parsePEM(block)
		}
	}
}

func parsePEM(block *pem.Block) (Key, error) {
	var private any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return Key{}, errors.New("is encrypted, or of another kind than PKCS #8, EC and RSA")
	}
	if err != nil {
		return Key{}, errors.New("is a private key that cannot be read; an encrypted one is not supported")
	}
	return newKey(private)
}

func parseJWK(raw string) (Key, error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(raw)); err != nil || !jwk.Valid() || jwk.IsPublic() {
		return Key{}, errors.New("is a JWK, but not a private key")
	}
	if jwk.Use != "" && jwk.Use != "sig" { // RFC 7517 §4.2
		return Key{}, errors.New("is a JWK that is not for signing")
	}
	key, err := newKey(jwk.Key)
	if err != nil {
		return Key{}, err
	}
	key.ID = jwk.KeyID
	if jwk.Algorithm == "" {
		return key, nil
	}
	named := jose.SignatureAlgorithm(jwk.Algorithm)
	if !slices.Contains(key.Algorithms, named) {
		return Key{}, errors.New("is a JWK whose alg is not for its kind of key")
	}
	key.Algorithms = []jose.SignatureAlgorithm{named}
	return key, nil
}

func newKey(private any) (Key, error) {
	switch private := private.(type) {
	case *rsa.PrivateKey:
		if private.N.BitLen() < minRSABits {
			return Key{}, errors.New("is an RSA key of less than 2048 bits")
		}
		return Key{Private: private, Algorithms: []jose.SignatureAlgorithm{jose.PS256, jose.RS256}}, nil
	case *ecdsa.PrivateKey:
		switch private.Curve {
		case elliptic.P256():
			return Key{Private: private, Algorithms: []jose.SignatureAlgorithm{jose.ES256}}, nil
		case elliptic.P384():
			return Key{Private: private, Algorithms: []jose.SignatureAlgorithm{jose.ES384}}, nil
		case elliptic.P521():
			return Key{Private: private, Algorithms: []jose.SignatureAlgorithm{jose.ES512}}, nil
		}
	case ed25519.PrivateKey:
		return Key{Private: private, Algorithms: []jose.SignatureAlgorithm{jose.EdDSA}}, nil
	}
	return Key{}, errors.New("is a key of another kind than RSA, EC P-256, P-384, P-521 and Ed25519")
}
