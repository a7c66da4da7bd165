package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	errClosed  = errors.New("the store is closed")
	errLocked  = errors.New("the file is in use by another process")
	errDamaged = errors.New("the file is damaged")
	errFormat  = errors.New("the file was written by another version of this program")
)

const formatVersion = 1

var (
	bucketRecords = []byte("records")
	bucketIndex   = []byte("index")
	bucketExpiry  = []byte("expiry")
	bucketMeta    = []byte("meta")
	metaFormat    = []byte("format")
)

// database opens the file on first use and keeps trying as long as it is
// asked, since whoever has it locked may let go.
type database struct {
	path     string
	patience time.Duration

	mu     sync.Mutex
	db     *bbolt.DB
	closed bool
	// opening is closed when the attempt under way has ended, in err.
	opening chan struct{}
	err     error
}

// get returns the open file. All callers share one attempt to open it, and
// each waits no longer than its ctx.
func (d *database) get(ctx context.Context) (*bbolt.DB, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	// A damaged file is not opened again: it may still be mapped, and so locked,
	// and the second error would be a misleading one.
	if d.db != nil || d.closed || errors.Is(d.err, errDamaged) {
		defer d.mu.Unlock()
		return d.state()
	}
	if d.opening == nil {
		d.opening = make(chan struct{})
		go d.open(d.opening)
	}
	opening := d.opening
	d.mu.Unlock()

	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-opening:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state()
}

// failed hears of every transaction that failed as such. If bbolt panicked, it
// may hold locks that it will never let go of: the file is given up, or who
// next wants one would wait for ever.
func (d *database) failed(err error) {
	if !errors.Is(err, errDamaged) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.db, d.err = nil, err
}

// state is what an attempt to open the file came to.
func (d *database) state() (*bbolt.DB, error) {
	switch {
	case d.closed:
		return nil, errClosed
	case d.db == nil:
		return nil, d.err
	}
	return d.db, nil
}

func (d *database) open(opening chan struct{}) {
	var db *bbolt.DB
	err := guard(func() (err error) {
		db, err = openFile(d.path, d.patience)
		return err
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.opening = err, nil
	if err == nil && d.closed {
		_ = db.Close()
	} else if err == nil {
		d.db = db
	}
	close(opening)
}

func (d *database) close() error {
	d.mu.Lock()
	db := d.db
	d.db, d.closed = nil, true
	d.mu.Unlock()
	if db == nil {
		return nil
	}
	return guard(db.Close)
}

func openFile(path string, patience time.Duration) (*bbolt.DB, error) {
	_, err := os.Stat(path)
	isNew := errors.Is(err, os.ErrNotExist)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: patience, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, errLocked
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	case err != nil:
		return nil, err
	}
	if err := prepare(db, isNew); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// prepare makes what is missing and refuses what it does not know.
func prepare(db *bbolt.DB, isNew bool) error {
	if err := os.Chmod(db.Path(), 0o600); err != nil {
		return err
	}
	if isNew { // or a power cut may forget that there is such a file
		if err := syncDir(filepath.Dir(db.Path())); err != nil {
			return err
		}
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketRecords, bucketIndex, bucketExpiry, bucketMeta} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		format := meta.Get(metaFormat)
		if format == nil {
			return meta.Put(metaFormat, binary.BigEndian.AppendUint64(nil, formatVersion))
		}
		if len(format) != 8 || binary.BigEndian.Uint64(format) != formatVersion {
			return errFormat
		}
		return nil
	})
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// guard turns a panic in f into errDamaged: bbolt trusts its pages, and where
// the file is shorter than they say, even the memory is missing.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("%w: %v", errDamaged, recovered)
		}
	}()
	return f()
}
