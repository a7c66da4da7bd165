package session

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"

	"cloakroom/bff/secret"
)

// keySize is the least length of a ring key's secret, in bytes.
const keySize = 32

// RingKey is one key of the ring. Secret is 32 random bytes or more, not their
// base64. ID is stored in clear beside what the key sealed.
type RingKey struct {
	ID     string
	Secret secret.String
}

// KeyRing is the server's half of every key. The first key seals, all open:
// put a new key first, and drop an old one once every session under it has
// ended. It can be replaced while it is in use; where several instances share a
// store, a new key must open on all of them before it seals on one.
type KeyRing struct {
	keys  atomic.Pointer[[]ringKey]
	turns atomic.Uint64
}

type ringKey struct {
	id       string
	master   []byte
	extracts keyedHashes // under master, of tickets and IDs
	macs     keyedHashes // for Record.Keys and notes
}

// keyedHashes are HMAC-SHA-256 under one key, made once and used again.
type keyedHashes struct{ *sync.Pool }

type keyedHash struct {
	hash.Hash
	text []byte
}

func newKeyedHashes(key []byte) keyedHashes {
	return keyedHashes{&sync.Pool{New: func() any { return &keyedHash{Hash: hmac.New(sha256.New, key)} }}}
}

// sum is the hash of text.
func (k keyedHashes) sum(text []byte) (sum [sha256.Size]byte) {
	mac := k.Get().(*keyedHash)
	defer k.Put(mac)
	return mac.of(append(mac.text[:0], text...))
}

// of is the hash of text, whose room is kept for the next.
func (k *keyedHash) of(text []byte) (sum [sha256.Size]byte) {
	k.Reset()
	_, _ = k.Write(text)
	k.text = k.Sum(text[:0])
	copy(sum[:], k.text)
	clear(k.text) // it may be half of a key
	return sum
}

// NewKeyRing checks the keys and prepares what is derived from them.
func NewKeyRing(keys []RingKey) (*KeyRing, error) {
	ring := &KeyRing{}
	if err := ring.Replace(keys); err != nil {
		return nil, err
	}
	return ring, nil
}

// Replace puts other keys in the place of those in use. If they are not all
// good, those in use stay.
func (k *KeyRing) Replace(keys []RingKey) error {
	if len(keys) == 0 {
		return errors.New("session: a key ring needs a key")
	}
	var prepared []ringKey
	seen := map[string]bool{}
	for _, key := range keys {
		switch {
		case key.Secret.Len() < keySize:
			return fmt.Errorf("session: key %q: the secret has %d bytes, it needs %d", key.ID, key.Secret.Len(), keySize)
		case key.ID == "" || len(key.ID) > 255:
			return fmt.Errorf("session: key %q: the id must have 1 to 255 bytes", key.ID)
		case seen[key.ID]:
			return fmt.Errorf("session: key %q: the id is used twice", key.ID)
		}
		seen[key.ID] = true
		master := []byte(key.Secret.Reveal())
		index := expand(master, "cloakroom index v1", sha256.Size)
		prepared = append(prepared, ringKey{key.ID, master, newKeyedHashes(master), newKeyedHashes(index)})
	}
	k.keys.Store(&prepared)
	k.turns.Add(1)
	return nil
}

// Turn marks the keys that a ring has: it is another once they are replaced.
type Turn uint64

// Turn returns that of the keys in use. Whoever uses them asks for it before: then
// they are at least as new.
func (k *KeyRing) Turn() Turn { return Turn(k.turns.Load()) }

// current are the keys in use, the sealing one first.
func (k *KeyRing) current() []ringKey { return *k.keys.Load() }

// EphemeralKeyRing returns a ring that nobody else has and that ends with the
// process.
func EphemeralKeyRing() *KeyRing {
	master := make([]byte, keySize)
	_, _ = rand.Read(master) // never fails (crypto/rand)
	ring, err := NewKeyRing([]RingKey{{ID: "ephemeral", Secret: secret.New(string(master))}})
	if err != nil {
		panic("session: the ephemeral key does not fit its own ring: " + err.Error())
	}
	return ring
}

// DerivedKey is a key for one purpose, and the ID of the ring key it is of.
type DerivedKey struct {
	ID     string
	Secret []byte
}

// Prepared keeps what is made of a ring's keys for as long as the ring has them:
// keys are worth preparing once, and a ring may be replaced while it is in use.
type Prepared[T any] struct {
	ring  *KeyRing
	make  func(keys []DerivedKey) (T, error)
	info  string
	size  int
	value atomic.Pointer[prepared[T]]
}

type prepared[T any] struct {
	of    *[]ringKey
	value T
}

// Prepare returns what make makes of size bytes derived for purpose from every
// key of ring, the sealing one first.
func Prepare[T any](ring *KeyRing, purpose string, size int, make func([]DerivedKey) (T, error)) *Prepared[T] {
	return &Prepared[T]{ring: ring, make: make, info: "cloakroom " + purpose, size: size}
}

// Get returns what was made of the keys in use.
func (p *Prepared[T]) Get() (T, error) {
	of := p.ring.keys.Load()
	if held := p.value.Load(); held != nil && held.of == of {
		return held.value, nil
	}
	keys := make([]DerivedKey, len(*of))
	for i, key := range *of {
		keys[i] = DerivedKey{key.id, expand(key.master, p.info, p.size)}
	}
	value, err := p.make(keys)
	if err != nil {
		return value, err
	}
	p.value.Store(&prepared[T]{of, value})
	return value, nil
}

// Derive returns size bytes for purpose from every key, the sealing one first.
// Different purposes give unrelated bytes.
func (k *KeyRing) Derive(purpose string, size int) [][]byte {
	keys := k.current()
	out := make([][]byte, len(keys))
	for i, key := range keys {
		out[i] = expand(key.master, "cloakroom "+purpose, size)
	}
	return out
}

// byID finds the key that sealed a record.
func (k *KeyRing) byID(id []byte) (*ringKey, bool) {
	keys := k.current()
	for i := range keys {
		if keys[i].id == string(id) {
			return &keys[i], true
		}
	}
	return nil, false
}

// hash keys parts for an index.
func (k *ringKey) hash(parts ...string) Key {
	sum := k.mac(parts...)
	return Key(sum[:len(Key{})])
}

// mac is HMAC-SHA-256 of the parts. Each is preceded by its length, so that no
// two lists of parts read alike.
func (k *ringKey) mac(parts ...string) [sha256.Size]byte {
	mac := k.macs.Get().(*keyedHash)
	defer k.macs.Put(mac)
	text := mac.text[:0]
	for _, part := range parts {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part)))
		text = append(text, part...)
	}
	return mac.of(text)
}

// expand is HKDF-Expand of a uniformly random master (RFC 5869 §3.3).
func expand(master []byte, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, master, info, size)
	if err != nil {
		panic("session: derive: " + err.Error()) // only a size above 8160 bytes fails
	}
	return out
}
