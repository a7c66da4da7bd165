package file

import (
	"encoding/binary"
	"time"

	"cloakroom/bff/session"
)

// A record is kept as
//
//	 0     8 bytes  version
//	 8     8 bytes  expiry, Unix milliseconds
//	16     1 byte   number of keys
//	17     16 bytes each key
//	rest            data
//
// in big-endian order.
const headerSize = 17

const keySize = len(session.Key{})

// maxValue keeps one record from being most of what a transaction writes.
const maxValue = 16 << 20

// value is a record's bytes, as they are in the file.
type value []byte

// encode returns r's bytes, the version still to be set.
func encode(r *session.Record) (value, error) {
	size := headerSize + len(r.Keys)*keySize + len(r.Data)
	if size > maxValue || len(r.Keys) > session.MaxKeys {
		return nil, session.ErrTooLarge
	}
	v := make(value, headerSize, size)
	binary.BigEndian.PutUint64(v[8:], uint64(r.Expires.UnixMilli()))
	v[16] = byte(len(r.Keys))
	for i := range r.Keys {
		v = append(v, r.Keys[i][:]...)
	}
	return append(v, r.Data...), nil
}

// valid reports whether v is what encode makes; the other methods need that.
func (v value) valid() bool {
	return len(v) >= headerSize && v[16] <= session.MaxKeys && len(v) >= headerSize+int(v[16])*keySize
}

func (v value) version() session.Version     { return session.Version(binary.BigEndian.Uint64(v)) }
func (v value) setVersion(n session.Version) { binary.BigEndian.PutUint64(v, uint64(n)) }

func (v value) expires() time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(v[8:]))) }

// live reports whether v is a record that has not expired.
func (v value) live(now time.Time) bool { return v.valid() && now.Before(v.expires()) }

// key returns the bytes of the i-th key.
func (v value) key(i int) []byte { return v[headerSize+i*keySize:][:keySize] }

func (v value) keys() int { return int(v[16]) }

// record copies v, which is the file's own memory.
func (v value) record(id session.ID) session.Record {
	r := session.Record{ID: id, Version: v.version(), Expires: v.expires()}
	for i := range v.keys() {
		r.Keys = append(r.Keys, session.Key(v.key(i)))
	}
	r.Data = append([]byte(nil), v[headerSize+v.keys()*keySize:]...)
	return r
}

// indexKey is the entry of id under a key in the index.
func indexKey(key, id []byte) []byte {
	return append(append(make([]byte, 0, len(key)+len(id)), key...), id...)
}

// expiryKey is the entry of id at its time among the expiries. It begins with
// the very bytes of the value, so that the two cannot differ.
func expiryKey(v value, id []byte) []byte {
	return append(append(make([]byte, 0, 8+len(id)), v[8:16]...), id...)
}
