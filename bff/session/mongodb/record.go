package mongodb

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"cloakroom/bff/session"
)

// maxData leaves room for the other fields in a document of 16 MiB, which is
// the most that MongoDB takes.
const maxData = 16<<20 - 4<<10

// newVersion draws a version. A counter would repeat itself when a record is
// made anew under its ID.
func newVersion() session.Version {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:])                               // never fails (crypto/rand)
		if v := binary.BigEndian.Uint64(b[:]) >> 1; v != 0 { // an int64 there
			return session.Version(v)
		}
	}
}

func idValue(id session.ID) bson.Binary    { return bson.Binary{Data: id[:]} }
func keyValue(key session.Key) bson.Binary { return bson.Binary{Data: key[:]} }

// encode returns the fields of r beside _id.
func encode(r *session.Record, v session.Version) (bson.D, error) {
	if len(r.Data) > maxData || len(r.Keys) > session.MaxKeys {
		return nil, session.ErrTooLarge
	}
	keys := make(bson.A, len(r.Keys))
	for i, key := range r.Keys {
		keys[i] = keyValue(key)
	}
	data := r.Data
	if data == nil {
		data = []byte{}
	}
	return bson.D{
		{Key: "version", Value: int64(v)},
		{Key: "expires", Value: bson.NewDateTimeFromTime(r.Expires)},
		{Key: "keys", Value: keys},
		{Key: "data", Value: bson.Binary{Data: data}},
	}, nil
}

// decode copies a record out of raw. What is malformed is ErrNotFound.
func decode(raw bson.Raw) (session.Record, error) {
	var r session.Record
	_, id, okID := raw.Lookup("_id").BinaryOK()
	version, okVersion := raw.Lookup("version").Int64OK()
	expires, okExpires := raw.Lookup("expires").DateTimeOK()
	keys, okKeys := raw.Lookup("keys").ArrayOK()
	_, data, okData := raw.Lookup("data").BinaryOK()
	if !okID || !okVersion || !okExpires || !okKeys || !okData || version <= 0 || len(id) != len(r.ID) {
		return session.Record{}, session.ErrNotFound
	}
	values, err := keys.Values()
	if err != nil || len(values) > session.MaxKeys {
		return session.Record{}, session.ErrNotFound
	}
	for _, value := range values {
		_, b, ok := value.BinaryOK()
		if !ok || len(b) != len(session.Key{}) {
			return session.Record{}, session.ErrNotFound
		}
		r.Keys = append(r.Keys, session.Key(b))
	}
	copy(r.ID[:], id)
	r.Version, r.Expires, r.Data = session.Version(version), time.UnixMilli(expires), slices.Clone(data)
	return r, nil
}
