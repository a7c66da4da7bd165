package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// Data is laid out as
//
//	1 byte   format, sealedV2
//	1 byte   length of the ring key's ID
//	n bytes  the ring key's ID
//	2 bytes  length of the label, 0 if there is none
//	n bytes  the label, sealed: a nonce and AES-256-GCM of the encoded label,
//	         with the record's ID as additional data
//	12 bytes nonce
//	rest     AES-256-GCM of the encoded session, with all of the above but the
//	         nonce and the record's ID as additional data
//
// The AEAD key of the session is HKDF-SHA256 (RFC 5869) of the ticket, salted
// with the ring key: both halves are needed. The label, which says when and from
// where its user signed in and holds no token, needs the ring alone: the user
// sees it from another session too. Either key serves one record, so that random
// nonces stay far from their bound (NIST SP 800-38D §8.3).
const (
	sealedV2  = 2
	nonceSize = 12
	sealInfo  = "cloakroom session v2"
	labelInfo = "cloakroom label v1"
)

// seal encrypts the session plain of t, and its label if it has one, with the
// ring's first key.
func (k *KeyRing) seal(t Ticket, label, plain []byte) ([]byte, error) {
	key := &k.current()[0]
	aead, err := key.aead(t)
	if err != nil {
		return nil, err
	}
	id := t.ID()
	var tag []byte
	if len(label) > 0 {
		if tag, err = key.sealLabel(id, label); err != nil {
			return nil, err
		}
	}
	head := 2 + len(key.id) + 2 + len(tag)
	data := make([]byte, 0, head+nonceSize+len(plain)+aead.Overhead())
	data = append(data, sealedV2, byte(len(key.id)))
	data = append(data, key.id...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(tag)))
	data = append(data, tag...)
	data = data[:head+nonceSize]
	nonce := data[head:]
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return aead.Seal(data, nonce, plain, additional(data[:head], id)), nil
}

// open reverses seal with whichever key sealed, in the place of what was sealed.
// Every way in which data is not what seal made for t is ErrNotFound.
func (k *KeyRing) open(t Ticket, data []byte) ([]byte, error) {
	key, _, head, err := k.parse(data)
	if err != nil {
		return nil, err
	}
	if len(data) < head+nonceSize {
		return nil, ErrNotFound
	}
	aead, err := key.aead(t)
	if err != nil {
		return nil, err
	}
	sealed := data[head+nonceSize:]
	plain, err := aead.Open(sealed[:0], data[head:head+nonceSize], sealed, additional(data[:head], t.ID()))
	if err != nil {
		return nil, ErrNotFound
	}
	return plain, nil
}

// openLabel reads the label of a record, which takes no ticket.
func (k *KeyRing) openLabel(id ID, data []byte) ([]byte, error) {
	key, tag, _, err := k.parse(data)
	if err != nil {
		return nil, err
	}
	if len(tag) < nonceSize {
		return nil, ErrNotFound
	}
	aead, err := key.labelAEAD(id)
	if err != nil {
		return nil, err
	}
	label, err := aead.Open(nil, tag[:nonceSize], tag[nonceSize:], id[:])
	if err != nil {
		return nil, ErrNotFound
	}
	return label, nil
}

// parse finds the ring key that sealed data, the sealed label, and where the
// sealed session begins.
func (k *KeyRing) parse(data []byte) (key *ringKey, label []byte, head int, err error) {
	if len(data) < 2 || data[0] != sealedV2 {
		return nil, nil, 0, ErrNotFound
	}
	head = 2 + int(data[1])
	if len(data) < head+2 {
		return nil, nil, 0, ErrNotFound
	}
	key, ok := k.byID(data[2:head])
	if !ok {
		return nil, nil, 0, ErrNotFound
	}
	size := int(binary.BigEndian.Uint16(data[head:]))
	head += 2
	if len(data) < head+size {
		return nil, nil, 0, ErrNotFound
	}
	return key, data[head : head+size], head + size, nil
}

func (k *ringKey) aead(t Ticket) (cipher.AEAD, error) { return newGCM(k.sessionKey(t)) }

// sessionKey is HKDF of the ticket, salted with the ring key: to extract is HMAC,
// under the salt (RFC 5869 §2.2).
func (k *ringKey) sessionKey(t Ticket) []byte {
	uniform := k.extracts.sum(t.bits[:])
	return expand(uniform[:], sealInfo, 32)
}

// labelKey is HKDF-Expand of the ring key, one block of which is HMAC of its info
// and a 1 (RFC 5869 §2.3).
func (k *ringKey) labelKey(id ID) []byte {
	info := append(append(make([]byte, 0, len(labelInfo)+len(id)+1), labelInfo...), id[:]...)
	key := k.extracts.sum(append(info, 1))
	return key[:]
}

func (k *ringKey) sealLabel(id ID, label []byte) ([]byte, error) {
	aead, err := k.labelAEAD(id)
	if err != nil {
		return nil, err
	}
	out := make([]byte, nonceSize, nonceSize+len(label)+aead.Overhead())
	_, _ = rand.Read(out) // never fails (crypto/rand)
	return aead.Seal(out, out, label, id[:]), nil
}

func (k *ringKey) labelAEAD(id ID) (cipher.AEAD, error) { return newGCM(k.labelKey(id)) }

func newGCM(key []byte) (cipher.AEAD, error) {
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
