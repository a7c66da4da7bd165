package file

import (
	"context"
	"errors"
	"sync"

	"go.etcd.io/bbolt"
)

// group lets the writes that are under way at once share a transaction, and so
// an fsync: while one is written, the next gather. It waits for nobody, so a
// lone write is as fast as it can be. bbolt's own Batch waits for a timer, and
// commits where a panic over a damaged page would end the process.
type group struct {
	mu    sync.Mutex
	queue []*write
	busy  bool // whether write runs
	// failed is told of each transaction that failed as such.
	failed func(error)
}

// write is a change and where its outcome goes.
type write struct {
	db     *bbolt.DB
	change func(*bbolt.Tx) error
	done   chan error
}

// maxGroup bounds a transaction.
const maxGroup = 256

// do applies change in a transaction and returns when it is on disk. change
// must either change nothing and return an error, which is then the outcome,
// or succeed; it may run more than once, and after do has returned for want of
// time. When ctx ends while change waits for its turn it will never run.
func (g *group) do(ctx context.Context, db *bbolt.DB, change func(*bbolt.Tx) error) error {
	w := &write{db: db, change: change, done: make(chan error, 1)}
	g.mu.Lock()
	g.queue = append(g.queue, w)
	if !g.busy {
		g.busy = true
		go g.write()
	}
	g.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		g.forget(w)
		return ctx.Err()
	}
}

func (g *group) forget(w *write) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.queue {
		if g.queue[i] == w {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			return
		}
	}
}

// write writes until nothing is left to.
func (g *group) write() {
	for {
		g.mu.Lock()
		n := min(len(g.queue), maxGroup)
		if n == 0 {
			g.busy = false
			g.mu.Unlock()
			return
		}
		writes := append([]*write(nil), g.queue[:n]...)
		g.queue = append(g.queue[:0], g.queue[n:]...)
		g.mu.Unlock()
		g.commit(writes)
	}
}

// commit writes all in one transaction, or, if one of them meets a damaged page
// or the like, each in its own, so that it does not fail the others.
func (g *group) commit(writes []*write) {
	outcomes := make([]error, len(writes))
	broken := false
	err := guard(func() error {
		return writes[0].db.Update(func(tx *bbolt.Tx) error {
			for i, w := range writes {
				outcomes[i] = guard(func() error { return w.change(tx) })
				if outcomes[i] != nil && !isOutcome(outcomes[i]) {
					broken = true
					return errRolledBack
				}
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errRolledBack) {
		g.failed(err)
	} else if broken && len(writes) > 1 {
		for i := range writes {
			g.commit(writes[i : i+1])
		}
		return
	} else {
		err = nil // the outcomes say it
	}
	for i, w := range writes {
		if err != nil {
			w.done <- err
		} else {
			w.done <- outcomes[i]
		}
	}
}

// errRolledBack lets bbolt drop a transaction; nobody gets to see it.
var errRolledBack = errors.New("rolled back")
