package redis

import (
	"crypto/rand"
	"encoding/binary"
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
// in big-endian order. The scripts know these places.
const (
	recordV1   = 1
	headerSize = 18
)

// maxValue is what Redis takes as one string at the most, by default
// (proto-max-bulk-len).
const maxValue = 512 << 20

// newVersion draws a version. A counter would repeat itself when a failover
// lost its last values, and two different records would pass for one.
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
	size := headerSize + len(r.Keys)*len(session.Key{}) + len(r.Data)
	if size > maxValue || len(r.Keys) > session.MaxKeys {
		return nil, session.ErrTooLarge
	}
	b := make([]byte, 0, size)
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
// malformed is ErrNotFound.
func decode(id session.ID, b []byte) (session.Record, error) {
	r, n, err := decodeHead(id, b)
	if err != nil {
		return session.Record{}, err
	}
	b = b[headerSize:]
	if len(b) < n*len(session.Key{}) {
		return session.Record{}, session.ErrNotFound
	}
	r.Keys, b = splitKeys(b, n)
	r.Data = b
	return r, nil
}

// decodeHead reads what comes before the keys, and how many these are.
func decodeHead(id session.ID, b []byte) (r session.Record, keys int, err error) {
	if len(b) < headerSize || b[0] != recordV1 || b[17] > session.MaxKeys {
		return session.Record{}, 0, session.ErrNotFound
	}
	r = session.Record{
		ID:      id,
		Version: session.Version(binary.BigEndian.Uint64(b[1:])),
		Expires: time.UnixMilli(int64(binary.BigEndian.Uint64(b[9:]))),
	}
	if r.Version == 0 {
		return session.Record{}, 0, session.ErrNotFound
	}
	return r, int(b[17]), nil
}

func splitKeys(b []byte, n int) ([]session.Key, []byte) {
	if n == 0 {
		return nil, b
	}
	keys := make([]session.Key, n)
	for i := range keys {
		b = b[copy(keys[i][:], b):]
	}
	return keys, b
}
