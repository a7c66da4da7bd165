package file

import (
	"testing"

	"go.etcd.io/bbolt"
)

// Count returns how many entries a bucket has.
func (s *Store) Count(t *testing.T, bucket string) int {
	t.Helper()
	n := 0
	err := s.view(t.Context(), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
