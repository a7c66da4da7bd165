package nats

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"cloakroom/bff/session"
)

var encoding = base64.RawURLEncoding

// A record is kept as
//
//	 0     1 byte   format, recordV1
//	 1     8 bytes  expiry, Unix milliseconds
//	 9     8 bytes  until when it is in its indexes, Unix milliseconds
//	17     1 byte   number of keys
//	18     16 bytes each key
//	rest            data
//
// in big-endian order. The message's sequence is the version.
const (
	recordV1   = 1
	headerSize = 18
)

// stored is a record and until when its index entries live.
type stored struct {
	session.Record
	indexed time.Time
}

func encode(r *session.Record, indexed time.Time) []byte {
	b := make([]byte, 0, headerSize+len(r.Keys)*len(session.Key{})+len(r.Data))
	b = append(b, recordV1)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Expires.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(indexed.UnixMilli()))
	b = append(b, byte(len(r.Keys)))
	for i := range r.Keys {
		b = append(b, r.Keys[i][:]...)
	}
	return append(b, r.Data...)
}

// decode reads what encode wrote and keeps b as the record's Data. What is
// malformed is ErrNotFound.
func decode(id session.ID, sequence uint64, b []byte) (stored, error) {
	if len(b) < headerSize || b[0] != recordV1 || sequence == 0 {
		return stored{}, session.ErrNotFound
	}
	r := stored{
		Record: session.Record{
			ID: id, Version: session.Version(sequence),
			Expires: time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:]))),
		},
		indexed: time.UnixMilli(int64(binary.BigEndian.Uint64(b[9:]))),
	}
	n := int(b[17])
	b = b[headerSize:]
	if n > session.MaxKeys || len(b) < n*len(session.Key{}) {
		return stored{}, session.ErrNotFound
	}
	if n > 0 {
		r.Keys = make([]session.Key, n)
		for i := range r.Keys {
			b = b[copy(r.Keys[i][:], b):]
		}
	}
	r.Data = b
	return r, nil
}

func sameKeys(a, b []session.Key) bool { return slices.Equal(a, b) }
