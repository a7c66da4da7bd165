package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// upload sends a request's body, while the answer may begin already. A nil one
// is of a request without a body.
type upload struct {
	c    *conn
	r    *http.Request
	sent chan error // once, how it ended

	held     bool          // the request expects 100
	asked    chan struct{} // closed: the upstream wants the body
	answered chan struct{} // closed: it has answered
	once     sync.Once     // for asked
	last     atomic.Bool   // everything was read; the end is being written
	unread   atomic.Pointer[error]
}

func newUpload(c *conn, r *http.Request) *upload {
	up := &upload{c: c, r: r, sent: make(chan error, 1), asked: make(chan struct{}), answered: make(chan struct{})}
	for _, value := range r.Header["Expect"] {
		up.held = up.held || strings.EqualFold(value, "100-continue")
	}
	return up
}

// proceed says that the upstream asked for the body.
func (u *upload) proceed() {
	if u != nil {
		u.once.Do(func() { close(u.asked) })
	}
}

// settle says that the final answer's head is there.
func (u *upload) settle() {
	if u != nil {
		close(u.answered)
	}
}

// done reports whether the whole body was sent.
func (u *upload) done() bool {
	if u == nil {
		return true
	}
	select {
	case err := <-u.sent:
		return err == nil
	default:
	}
	if !u.last.Load() {
		return false
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-u.sent:
		return err == nil
	case <-timer.C:
		return false
	}
}

// blame is why an exchange failed: err, or that the body could not be read.
func (u *upload) blame(err error) error {
	if u != nil {
		if unread := u.unread.Load(); unread != nil {
			return *unread
		}
	}
	return err
}

// abandon is for a body that was never begun.
func (u *upload) abandon() {
	if u != nil {
		closeBody(u.r)
	}
}

// run sends the body. A body that cannot be read ends the connection: its length
// was promised. An upstream that does not take it may have answered all the
// same, so that its answer is waited for.
func (u *upload) run(hold time.Duration) {
	err := u.wait(hold)
	if err == nil {
		err = u.copy()
	}
	closeBody(u.r)
	if u.unread.Load() != nil {
		u.c.close()
	}
	u.sent <- err
}

var errUnwanted = errors.New("upstream: answered before the body was sent")

// wait holds the body back until the upstream asks for it, answers without, or
// says nothing for too long.
func (u *upload) wait(hold time.Duration) error {
	if !u.held {
		return nil
	}
	timer := time.NewTimer(hold)
	defer timer.Stop()
	select {
	case <-u.asked:
	case <-timer.C:
	case <-u.answered:
		select {
		case <-u.asked: // before it answered
		default:
			return errUnwanted
		}
	}
	return nil
}

// patience is how long the end of an answer waits for the end of a request whose
// last byte is being written.
const patience = 50 * time.Millisecond

var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// copy sends the body piece by piece as it comes.
func (u *upload) copy() error {
	var to io.Writer = u.c.out
	chunked := u.r.ContentLength <= 0
	var chunks io.WriteCloser
	if chunked {
		chunks = httputil.NewChunkedWriter(u.c.out)
		to = chunks
	}
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	for left := u.r.ContentLength; ; {
		into := buffer[:]
		if !chunked {
			if left == 0 {
				break
			}
			into = into[:min(int64(len(into)), left)]
		}
		n, err := u.r.Body.Read(into)
		left -= int64(n)
		if err == io.EOF && !chunked && left > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			err = fmt.Errorf("upstream: read the request's body: %w", err)
			u.unread.Store(&err)
			return err
		}
		ended := err == io.EOF || !chunked && left == 0
		if ended && !chunked {
			u.last.Store(true)
		}
		if n > 0 {
			if _, err := to.Write(into[:n]); err != nil {
				return fmt.Errorf("upstream: send the body: %w", err)
			}
		}
		if ended {
			break
		}
		if err := u.c.out.Flush(); err != nil {
			return fmt.Errorf("upstream: send the body: %w", err)
		}
	}
	u.last.Store(true)
	if chunked {
		_ = chunks.Close()
		_, _ = u.c.out.WriteString("\r\n") // no trailer
	}
	if err := u.c.out.Flush(); err != nil {
		return fmt.Errorf("upstream: send the body: %w", err)
	}
	return nil
}
