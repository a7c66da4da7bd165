package topology

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// relay passes bytes on between one server and the store, until it is cut: then
// it holds up what either says, as a network does that is broken, and neither is
// told. What was held up arrives when it is mended.
type relay struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	open  chan struct{} // closed while bytes pass
	conns map[net.Conn]struct{}
	shut  bool
	done  sync.WaitGroup
}

func openRelay(address, target string) (*relay, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, target: target, open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(r.open)
	r.done.Go(r.accept)
	return r, nil
}

func (r *relay) addr() string { return r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.done.Go(func() { r.serve(near) })
	}
}

func (r *relay) serve(near net.Conn) {
	if !r.keep(near) {
		return
	}
	defer r.drop(near)
	r.wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	far, err := new(net.Dialer).DialContext(ctx, "tcp", r.target)
	cancel()
	if err != nil || !r.keep(far) {
		return // the store is down, and near hears of it by the end of its connection
	}
	defer r.drop(far)
	var both sync.WaitGroup
	both.Go(func() { r.pass(far, near) })
	both.Go(func() { r.pass(near, far) })
	both.Wait()
}

// pass copies until src ends, and then ends both.
func (r *relay) pass(dst, src net.Conn) {
	defer func() { _, _ = dst.Close(), src.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := src.Read(buffer)
		r.wait()
		if n > 0 {
			if _, failed := dst.Write(buffer[:n]); failed != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
	}
}

// wait returns when bytes may pass, or nothing will any more.
func (r *relay) wait() {
	r.mu.Lock()
	open := r.open
	r.mu.Unlock()
	<-open
}

// cut holds everything up.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
		if !r.shut {
			r.open = make(chan struct{})
		}
	default: // it is cut already
	}
}

// mend lets everything pass.
func (r *relay) mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
	default:
		close(r.open)
	}
}

// keep notes a connection, so that close can end it; false: it is ended.
func (r *relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		_ = c.Close()
		return false
	}
	r.conns[c] = struct{}{}
	return true
}

func (r *relay) drop(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// close ends every connection, and returns when nothing of it runs.
func (r *relay) close() {
	r.mu.Lock()
	r.shut = true
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.mend()
	_ = r.listener.Close()
	r.done.Wait()
}
