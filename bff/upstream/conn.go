package upstream

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is one connection, and the buffers before it.
type conn struct {
	pool   *pool
	raw    net.Conn // the socket
	stream net.Conn // the socket, or TLS on it
	in     *bufio.Reader
	out    *bufio.Writer
	left   int64 // bytes that the head of an answer may still take

	kept  bool // it has carried a request before
	since time.Time

	socket syscall.RawConn // nil: nobody can look into it
	looked bool            // what look found
	look   func(fd uintptr) bool
}

func newConn(p *pool, raw, stream net.Conn) *conn {
	c := &conn{pool: p, raw: raw, stream: stream}
	c.in, c.out = bufio.NewReader(c), bufio.NewWriter(stream)
	if with, ok := raw.(syscall.Conn); ok {
		c.socket, _ = with.SyscallConn()
	}
	c.look = func(fd uintptr) bool { c.looked = silent(fd); return true }
	return c
}

var errLongHead = errors.New("upstream: the answer's head is too long")

// Read implements io.Reader, for in.
func (c *conn) Read(into []byte) (int, error) {
	if c.left <= 0 {
		return 0, errLongHead
	}
	n, err := c.stream.Read(into)
	c.left -= int64(n)
	return n, err
}

// quiet reports whether the upstream has said nothing since its last answer: no
// byte, no end.
func (c *conn) quiet() bool {
	if c.in.Buffered() > 0 || c.socket == nil {
		return false
	}
	if c.stream != c.raw {
		// TLS may hold what it read along. A deadline that is over lets it show
		// that, and read no more.
		c.left = 1
		_ = c.stream.SetReadDeadline(time.Unix(1, 0))
		_, err := c.in.Peek(1)
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.stream.SetReadDeadline(time.Time{}) != nil {
			return false
		}
	}
	c.looked = false
	return c.socket.Read(c.look) == nil && c.looked
}

// close ends the connection, from any goroutine. For TLS too it is the socket
// that is closed: a farewell could block.
func (c *conn) close() { _ = c.raw.Close() }

var _ io.Reader = (*conn)(nil)
