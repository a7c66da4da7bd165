package memcached

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"time"

	"cloakroom/bff/session"
)

// A record is kept as
//
//	 0     1 byte   format, recordV1
//	 1     8 bytes  version
//	 9     8 bytes  expiry, Unix milliseconds
//	17     1 byte   number of keys
//	18     16 bytes each key
//	rest            data
//
// in big-endian order.
const (
	recordV1   = 1
	headerSize = 18
)

// newVersion draws a version. memcached's own mark, the cas unique, is not
// told to who writes, and starts anew with the server.
func newVersion() session.Version {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		if v := binary.BigEndian.Uint64(b[:]); v != 0 {
			return session.Version(v)
		}
	}
}

// encode returns r's bytes at version v.
func encode(r *session.Record, v session.Version) ([]byte, error) {
	if len(r.Keys) > session.MaxKeys {
		return nil, session.ErrTooLarge
	}
	b := make([]byte, 0, headerSize+len(r.Keys)*len(session.Key{})+len(r.Data))
	b = append(b, recordV1)
	b = binary.BigEndian.AppendUint64(b, uint64(v))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Expires.UnixMilli()))
	b = append(b, byte(len(r.Keys)))
	for i := range r.Keys {
		b = append(b, r.Keys[i][:]...)
	}
	return append(b, r.Data...), nil
}

// decode reads what encode wrote and keeps b as the record's Data. What is
// malformed, or expired at now, is ErrNotFound.
func decode(id session.ID, b []byte, now time.Time) (session.Record, error) {
	if len(b) < headerSize || b[0] != recordV1 {
		return session.Record{}, session.ErrNotFound
	}
	r := session.Record{
		ID:      id,
		Version: session.Version(binary.BigEndian.Uint64(b[1:])),
		Expires: time.UnixMilli(int64(binary.BigEndian.Uint64(b[9:]))),
	}
	n := int(b[17])
	b = b[headerSize:]
	if n > session.MaxKeys || len(b) < n*len(session.Key{}) || !now.Before(r.Expires) {
		return session.Record{}, session.ErrNotFound
	}
	if n > 0 {
		r.Keys = make([]session.Key, n)
	}
	for i := range r.Keys {
		b = b[copy(r.Keys[i][:], b):]
	}
	r.Data = b[:len(b):len(b)]
	return r, nil
}

// longestRelative is the longest time memcached takes as one from now; a
// larger number is a Unix time to it (protocol.txt, "Expiration times").
const longestRelative = 30 * 24 * time.Hour

// expiration is when memcached may forget what lives until t: rounded up, and
// a second more, since its clock has whole seconds. From now if it can be: then
// the server's clock need not be ours.
func expiration(t, now time.Time) int32 {
	d := t.Sub(now)
	switch {
	case d <= 0:
		return -1 // at once
	case d < longestRelative-2*time.Second:
		return int32(d/time.Second) + 2
	case t.Unix() >= math.MaxInt32-1: // the driver's number ends in 2038
		return int32(longestRelative / time.Second)
	}
	return int32(t.Unix()) + 2
}
