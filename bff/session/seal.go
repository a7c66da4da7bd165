package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// Data is laid out as
//
//	1 byte   format, sealedV1
//	1 byte   length of the ring key's ID
//	n bytes  the ring key's ID
//	12 bytes nonce
//	rest     AES-256-GCM of the encoded session, with all of the above and the
//	         record's ID as additional data
//
// The AEAD key is HKDF-SHA256 (RFC 5869) of the ticket, salted with the ring
// key: both halves are needed. It serves one session, so that random nonces
// stay far from their bound (NIST SP 800-38D §8.3).
const (
	sealedV1  = 1
	nonceSize = 12
	sealInfo  = "cloakroom session v1"
)

// seal encrypts plain with the ring's first key.
func (k *KeyRing) seal(t Ticket, plain []byte) ([]byte, error) {
	key := &k.current()[0]
	aead, err := key.aead(t)
	if err != nil {
		return nil, err
	}
	head := 2 + len(key.id)
	data := make([]byte, head+nonceSize, head+nonceSize+len(plain)+aead.Overhead())
	data[0], data[1] = sealedV1, byte(len(key.id))
	copy(data[2:], key.id)
	nonce := data[head : head+nonceSize]
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return aead.Seal(data, nonce, plain, additional(data[:head], t.ID())), nil
}

// open reverses seal with whichever key sealed. Every way in which data is not
// what seal made for t is ErrNotFound.
func (k *KeyRing) open(t Ticket, data []byte) ([]byte, error) {
	if len(data) < 2 || data[0] != sealedV1 {
		return nil, ErrNotFound
	}
	head := 2 + int(data[1])
	if len(data) < head+nonceSize {
		return nil, ErrNotFound
	}
	key, ok := k.byID(data[2:head])
	if !ok {
		return nil, ErrNotFound
	}
	aead, err := key.aead(t)
	if err != nil {
		return nil, err
	}
	sealed := data[head+nonceSize:]
	plain, err := aead.Open(nil, data[head:head+nonceSize], sealed, additional(data[:head], t.ID()))
	if err != nil {
		return nil, ErrNotFound
	}
	return plain, nil
}

func (k *ringKey) aead(t Ticket) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, t.bits[:], k.master, sealInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("session: derive: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("session: seal: %w", err)
	}
	return cipher.NewGCM(block)
}

// additional binds the sealed bytes to their head and to their record.
func additional(head []byte, id ID) []byte {
	return append(append(make([]byte, 0, len(head)+len(id)), head...), id[:]...)
}
