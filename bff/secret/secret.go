// Package secret holds the types of what must never be printed.
//
// It owns redaction at the type: whatever formats, logs or marshals a secret
// gets "[redacted]". The value leaves only through Reveal, so that every place
// that uses one can be found by searching for that word; in another form, which
// only whoever gave it so has, through As.
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
type String struct {
	value   string // the text; "" if it was not read yet
	form    *Form  // that it was given in; nil: as it is
	written string // in form
}

// New wraps value.
func New(value string) String { return String{value: value} }

// Form is another way to write a secret than as it is.
type Form struct {
	// Read returns the text that written stands for.
	Read func(written string) string
}

// Written wraps a secret as form has it, "" if it is empty: what is hardly ever
// revealed need not be read before.
func Written(form *Form, written string) String { return String{form: form, written: written} }

// Read returns the secret with its text at hand, for what is revealed often.
func (s String) Read() String { return String{s.Reveal(), s.form, s.written} }

// As returns the secret as form has it, if it was given so.
func (s String) As(form *Form) (written string, ok bool) {
	return s.written, s.form == form && form != nil
}

// Reveal returns the text, for the one call that must send it.
func (s String) Reveal() string {
	if s.value == "" && s.written != "" {
		return s.form.Read(s.written)
	}
	return s.value
}

// Empty reports whether there is no secret.
func (s String) Empty() bool { return s.value == "" && s.written == "" }

// Len is the length of the text in bytes.
func (s String) Len() int { return len(s.Reveal()) }

// Fingerprint names the secret without giving it away: the first 8 hex digits
// of its SHA-256. It suits tokens and keys; a guessable password has none.
func (s String) Fingerprint() string {
	sum := sha256.Sum256([]byte(s.Reveal()))
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
