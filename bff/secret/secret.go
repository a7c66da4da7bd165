// Package secret holds the types of what must never be printed.
//
// It owns redaction at the type: whatever formats, logs or marshals a secret
// gets "[redacted]". The value leaves only through Reveal, so that every place
// that uses one can be found by searching for that word.
package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// Redacted is what a secret prints as.
const Redacted = "[redacted]"

// String is a secret text: a token, a client secret, a DSN with a password.
type String struct{ value string }

// New wraps value.
func New(value string) String { return String{value} }

// Reveal returns the value, for the one call that must send it.
func (s String) Reveal() string { return s.value }

// Empty reports whether there is no secret.
func (s String) Empty() bool { return s.value == "" }

// Len is the length of the value in bytes.
func (s String) Len() int { return len(s.value) }

// Fingerprint names the secret without giving it away: the first 8 hex digits
// of its SHA-256. It suits tokens and keys; a guessable password has none.
func (s String) Fingerprint() string {
	sum := sha256.Sum256([]byte(s.value))
	return hex.EncodeToString(sum[:4])
}

func (s String) String() string               { return Redacted }
func (s String) GoString() string             { return Redacted }
func (s String) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(Redacted)) }
func (s String) LogValue() slog.Value         { return slog.StringValue(Redacted) }
func (s String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

var (
	_ fmt.Formatter  = String{}
	_ slog.LogValuer = String{}
)
