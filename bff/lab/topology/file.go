package topology

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// weighFile adds up what is in a session file, in a copy of it, since whoever
// writes it has it to himself. It must not be written meanwhile.
func weighFile(path string) (bytes, sessions int64, err error) {
	dir, err := os.MkdirTemp("", "weigh")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	twin := filepath.Join(dir, "sessions")
	if err := os.WriteFile(twin, text, 0o600); err != nil {
		return 0, 0, err
	}
	db, err := bbolt.Open(twin, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return 0, 0, fmt.Errorf("read the session file: %w", err)
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				bytes += int64(len(k) + len(v))
				if string(name) == "records" {
					sessions++
				}
				return nil
			})
		})
	})
	return bytes, sessions, err
}
