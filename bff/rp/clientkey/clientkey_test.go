package clientkey_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp/clientkey"
	"cloakroom/bff/secret"
)

func encode(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t testing.TB, key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode(t, "PRIVATE KEY", der, err)
}

func jwk(t testing.TB, key jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func ec(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAKeyIsReadFrom(t *testing.T) {
	p256, rsa2048 := ec(t, elliptic.P256()), rsaKey(t, 2048)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p256)
	oldEC := encode(t, "EC PRIVATE KEY", sec1, err)
	parameters := encode(t, "EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, nil)
	for name, row := range map[string]struct {
		text string
		id   string
		want []jose.SignatureAlgorithm
	}{
		"PKCS #8 of P-256":              {pkcs8(t, p256), "", []jose.SignatureAlgorithm{jose.ES256}},
		"PKCS #8 of P-384":              {pkcs8(t, ec(t, elliptic.P384())), "", []jose.SignatureAlgorithm{jose.ES384}},
		"PKCS #8 of P-521":              {pkcs8(t, ec(t, elliptic.P521())), "", []jose.SignatureAlgorithm{jose.ES512}},
		"PKCS #8 of RSA":                {pkcs8(t, rsa2048), "", []jose.SignatureAlgorithm{jose.PS256, jose.RS256}},
		"PKCS #8 of Ed25519":            {pkcs8(t, ed), "", []jose.SignatureAlgorithm{jose.EdDSA}},
		"the older form of EC":          {parameters + oldEC, "", []jose.SignatureAlgorithm{jose.ES256}},
		"the older form of RSA":         {encode(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa2048), nil), "", []jose.SignatureAlgorithm{jose.PS256, jose.RS256}},
		"a JWK":                         {"\n" + jwk(t, jose.JSONWebKey{Key: p256, KeyID: "k1", Use: "sig"}) + "\n", "k1", []jose.SignatureAlgorithm{jose.ES256}},
		"a JWK that names an algorithm": {jwk(t, jose.JSONWebKey{Key: rsa2048, Algorithm: "RS256"}), "", []jose.SignatureAlgorithm{jose.RS256}},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := clientkey.Parse(secret.New(row.text))
			if err != nil || key.ID != row.id || !slices.Equal(key.Algorithms, row.want) {
				t.Fatalf("got %v, %v, %v; want %v", key.ID, key.Algorithms, err, row.want)
			}
			for _, algorithm := range key.Algorithms {
				signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key.Private}, nil)
				if err != nil {
					t.Fatalf("%s: %v", algorithm, err)
				}
				if _, err := signer.Sign([]byte("x")); err != nil {
					t.Errorf("%s: %v", algorithm, err)
				}
			}
		})
	}
}

func TestAKeyIsRefusedWhen(t *testing.T) {
	p256 := ec(t, elliptic.P256())
	public, err := x509.MarshalPKIXPublicKey(p256.Public())
	whole := pkcs8(t, p256)
	body := strings.Split(whole, "\n")[1]
	for name, text := range map[string]string{
		"it is empty":                       "",
		"it is a word":                      "hunter2-HUNTER2",
		"it is public":                      encode(t, "PUBLIC KEY", public, err),
		"it is a public JWK":                jwk(t, jose.JSONWebKey{Key: p256.Public()}),
		"it is a shared secret":             jwk(t, jose.JSONWebKey{Key: []byte("hunter2-HUNTER2-hunter2-HUNTER2-")}),
		"it is a JWK for encryption":        jwk(t, jose.JSONWebKey{Key: p256, Use: "enc"}),
		"it is a JWK of another algorithm":  jwk(t, jose.JSONWebKey{Key: p256, Algorithm: "RS256"}),
		"it is half a JWK":                  jwk(t, jose.JSONWebKey{Key: p256})[:40],
		"it is encrypted":                   strings.ReplaceAll(whole, "PRIVATE", "ENCRYPTED PRIVATE"),
		"it is cut":                         strings.Replace(whole, body, body[:40], 1),
		"it is RSA of 1024 bits":            pkcs8(t, rsaKey(t, 1024)),
		"it is on a curve no algorithm has": pkcs8(t, ec(t, elliptic.P224())),
	} {
		t.Run(name, func(t *testing.T) {
			key, err := clientkey.Parse(secret.New(text))
			if err == nil {
				t.Fatalf("accepted: %v", key.Algorithms)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), body[:16]) {
				t.Errorf("%q tells the key", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add(`{"kty":"EC","crv":"P-256","x":"","y":"","d":""}`)
	f.Add("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n")
	f.Add(pkcs8(f, ec(f, elliptic.P256())))
	f.Fuzz(func(t *testing.T, text string) {
		key, err := clientkey.Parse(secret.New(text))
		if (err == nil) != (key.Private != nil && len(key.Algorithms) > 0) {
			t.Errorf("key %v with error %v", key.Algorithms, err)
		}
	})
}
