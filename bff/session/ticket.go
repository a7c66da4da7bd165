package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"

	"cloakroom/bff/secret"
)

// ticketSize is 256 bits: guessing one is out of reach, so the store needs no
// defence against it.
const ticketSize = 32

// ticketTextLen is the length of a ticket in a cookie: base64url, no padding.
const ticketTextLen = 43

// Ticket is what the browser holds: 256 random bits that mean nothing by
// themselves. It is a secret; it prints as [redacted].
type Ticket struct{ bits [ticketSize]byte }

// NewTicket draws a ticket.
func NewTicket() Ticket {
	var t Ticket
	_, _ = rand.Read(t.bits[:]) // never fails (crypto/rand)
	return t
}

// ParseTicket reads the text of a ticket. A text of another form is
// ErrNotFound: a caller cannot tell a malformed ticket from an unknown one.
func ParseTicket(text string) (Ticket, error) {
	var t Ticket
	if len(text) != ticketTextLen {
		return t, ErrNotFound
	}
	// Strict refuses the texts whose unused last bits differ, so that a ticket
	// has exactly one spelling.
	n, err := base64.RawURLEncoding.Strict().Decode(t.bits[:], []byte(text))
	if err != nil || n != ticketSize {
		return Ticket{}, ErrNotFound
	}
	return t, nil
}

// Reveal returns the text of the ticket, for the cookie.
func (t Ticket) Reveal() string { return base64.RawURLEncoding.EncodeToString(t.bits[:]) }

// ID returns the store's key for the ticket.
func (t Ticket) ID() ID { return sha256.Sum256(t.bits[:]) }

func (t Ticket) String() string               { return secret.Redacted }
func (t Ticket) GoString() string             { return secret.Redacted }
func (t Ticket) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(secret.Redacted)) }
func (t Ticket) LogValue() slog.Value         { return slog.StringValue(secret.Redacted) }
func (t Ticket) MarshalText() ([]byte, error) { return []byte(secret.Redacted), nil }

// ID is the SHA-256 of a ticket. Whoever has it can find and delete the
// record, but neither open it nor make the ticket.
type ID [sha256.Size]byte

// Fingerprint names the session in logs and to its owner: the first 8 hex
// digits of the ID.
func (id ID) Fingerprint() string {
	var text [8]byte
	hex.Encode(text[:], id[:4])
	return string(text[:])
}

func (id ID) String() string { return id.Fingerprint() }
