package session

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"testing"
)

// TestTheKeysAreThoseOfHKDF: what is prepared for them comes out the same.
func TestTheKeysAreThoseOfHKDF(t *testing.T) {
	key := &EphemeralKeyRing().current()[0]
	for range 3 { // the hashes are used again
		ticket := NewTicket()
		want, err := hkdf.Key(sha256.New, ticket.bits[:], key.master, sealInfo, 32)
		if got := key.sessionKey(ticket); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the session key is %x, want %x, %v", got, want, err)
		}
		id := ticket.ID()
		want, err = hkdf.Expand(sha256.New, key.master, labelInfo+string(id[:]), 32)
		if got := key.labelKey(id); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the label key is %x, want %x, %v", got, want, err)
		}
	}
}
