package session

import (
	"context"
	"errors"
	"time"
)

// Record is a session as a store sees it: an ID, a sealed Data, and the little
// in clear that a store needs to do its work.
type Record struct {
	ID ID
	// Version is the store's own mark of this state of the record, given by
	// Create, Get and Update. Callers only hand it back; it is never 0 for a
	// record that a store returned, and it differs for every write.
	Version Version
	// Expires is when the store may forget the record. The sealed Data carries
	// the times that count; this one only spares the store's room, so to shift
	// it gains an intruder nothing.
	Expires time.Time
	// Keys are the indexes under which Find meets the record, at most MaxKeys.
	// They are keyed hashes, so a dump does not tell whose session it is.
	Keys []Key
	// Data is sealed by a key the store does not have.
	Data []byte
}

// Version marks one state of a record.
type Version uint64

// Key is a keyed hash of a subject or of a provider's session ID.
type Key [16]byte

// MaxKeys bounds Record.Keys.
const MaxKeys = 4

// Store keeps records. Every backend passes storetest.Run and
// storetest.RunConcurrent, which hold the reasons for these rules.
//
// Unknown, expired and malformed are one answer, ErrNotFound. Any other error
// means that the store itself failed: the caller must then treat nobody as
// signed out. A store keeps no reference to what it is given and gives none
// to what it keeps.
type Store interface {
	// Create keeps a record that must be new: ErrExists when its ID is taken.
	// Version is ignored and the new one returned.
	Create(ctx context.Context, r Record) (Version, error)

	// Get returns the record, or ErrNotFound when there is none that has not
	// expired.
	Get(ctx context.Context, id ID) (Record, error)

	// Update replaces the record if it is still at r.Version, as one step:
	// ErrConflict when another write came first, ErrNotFound when the record is
	// gone. It never creates: a session that was deleted stays deleted,
	// whatever was in flight.
	Update(ctx context.Context, r Record) (Version, error)

	// Delete removes the record. To delete what is not there is no error.
	Delete(ctx context.Context, id ID) error
}

// Sparing is a Store that spares the copy of what its caller has already.
type Sparing interface {
	// GetUnless is Get, but for a record that is still in the state of have: then
	// Data and Keys are nil.
	GetUnless(ctx context.Context, id ID, have Mark) (Record, error)
}

// Mark tells one state of a record from every other. Versions alone do not, where
// a store counts: one that lost its last writes, as a failover does, gives the same
// number again for another write. The zero Mark is of no record.
type Mark struct {
	Version Version
	seal    [16]byte // the end of its Data, the tag of its AEAD: of two records only one has it
}

// MarkOf returns the mark of a record.
func MarkOf(version Version, data []byte) Mark {
	m := Mark{Version: version}
	if len(data) >= len(m.seal) {
		copy(m.seal[:], data[len(data)-len(m.seal):])
	}
	return m
}

// Finder is a Store with an index. Every store that runs on a server has one.
type Finder interface {
	// Find returns the records under key that have not expired, in no
	// particular order.
	Find(ctx context.Context, key Key) ([]Record, error)
}

// Runner is a Store with work of its own to do, such as sweeping out what has
// expired. Run returns when ctx ends.
type Runner interface {
	Run(ctx context.Context) error
}

// What a store answers besides its own failure. Compare with errors.Is.
var (
	ErrNotFound = errors.New("session: not found")
	ErrExists   = errors.New("session: exists already")
	ErrConflict = errors.New("session: changed by another")
	ErrTooLarge = errors.New("session: too large for the store")
)
