package storetest_test

import (
	"bytes"
	"compress/flate"
	"testing"

	"cloakroom/bff/session"
	"cloakroom/bff/session/storetest"
)

// TestACrowdIsWhatStoresMeetInLife: a store that compresses, or that meets one
// user again and again, would look better than it is.
func TestACrowdIsWhatStoresMeetInLife(t *testing.T) {
	crowd, err := storetest.NewCrowd()
	if err != nil {
		t.Fatal(err)
	}
	ids, keys := map[session.ID]bool{}, map[session.Key]bool{}
	const n = 500
	for range n {
		r := crowd.Record()
		ids[r.ID] = true
		if len(r.Keys) != 2 {
			t.Fatalf("a record has %d keys, want those of its subject and of its sid", len(r.Keys))
		}
		for _, key := range r.Keys {
			keys[key] = true
		}
		// Three tokens of 3.5 KB in all, shortened, and who the user is.
		if size := len(r.Data); size < 2300 || size > 2900 {
			t.Fatalf("a record has %d bytes of data", size)
		}
		if packed := deflated(t, r.Data); packed < len(r.Data) {
			t.Fatalf("%d bytes of data are %d when compressed", len(r.Data), packed)
		}
	}
	if len(ids) != n || len(keys) != 2*n {
		t.Errorf("%d records have %d IDs and %d keys", n, len(ids), len(keys))
	}
}

func deflated(t *testing.T, data []byte) int {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}
