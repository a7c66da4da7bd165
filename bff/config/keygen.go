package config

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"time"

	"cloakroom/bff/secret"
)

// GenerateKey makes a key for session.keys: an id that says the day and is
// unique in practice, and 256 random bits in unpadded URL-safe base64, as the
// file takes them.
func GenerateKey(now time.Time) (id string, key secret.String) {
	var tail [3]byte
	var raw [minKeyBytes]byte
	_, _ = rand.Read(tail[:]) // never fails (crypto/rand)
	_, _ = rand.Read(raw[:])
	return "k-" + now.UTC().Format("20060102") + "-" + hex.EncodeToString(tail[:]),
		secret.New(base64.RawURLEncoding.EncodeToString(raw[:]))
}
