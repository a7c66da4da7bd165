package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// call is one request, and the body that its answer must have. No two connections
// make the same call at once.
type call struct{ request, body []byte }

// source says what a connection calls with next; false ends its calls.
type source func(conn int) (*call, bool)

// keep does with a Set-Cookie header what a browser does, as far as these are
// known here: sealed sessions are given anew now and
// then, and whoever went on with the old one would cost more than any browser.
func (c *call) keep(header string) {
	cookie, err := http.ParseSetCookie(header)
	if err != nil {
		return
	}
	const mark = "\r\nCookie: "
	before, rest, ok := strings.Cut(string(c.request), mark)
	if !ok {
		return
	}
	line, after, _ := strings.Cut(rest, "\r\n")
	pairs := strings.Split(line, "; ")
	at := slices.IndexFunc(pairs, func(pair string) bool { return strings.HasPrefix(pair, cookie.Name+"=") })
	switch {
	case at < 0 && cookie.MaxAge >= 0:
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	case at >= 0 && cookie.MaxAge < 0:
		pairs = slices.Delete(pairs, at, at+1)
	case at >= 0:
		pairs[at] = cookie.Name + "=" + cookie.Value
	}
	c.request = []byte(before + mark + strings.Join(pairs, "; ") + "\r\n" + after)
}

// load is a number of connections that stay open.
type load struct{ conns []*conn }

// sample is what was seen of some calls. The times are in order of length.
type sample struct {
	took  time.Duration
	times []time.Duration
	// troubled counts the answers that run was told to put up with.
	troubled int
	// redialled counts the connections that the server ended between two answers.
	redialled int
}

// wrongAnswer is an answer that it must not give. Nothing measured with it counts.
type wrongAnswer struct {
	text   string
	status int // if that is what is wrong
}

func (w *wrongAnswer) Error() string { return "a wrong answer: " + w.text }

// patience bounds the wait for an answer.
const patience = 30 * time.Second

func dial(ctx context.Context, addr string, n int) (*load, error) {
	l := &load{make([]*conn, n)}
	for i := range l.conns {
		l.conns[i] = &conn{addr: addr, in: bufio.NewReaderSize(nil, 16<<10), body: make([]byte, 0, 2*bodySize)}
		if err := l.conns[i].dial(ctx); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *load) close() {
	for _, c := range l.conns {
		if c != nil && c.Conn != nil {
			_ = c.Close()
		}
	}
}

// side is who takes part in an alternation.
type side struct {
	load *load
	next source
}

// burst is how long a side of an alternation calls in one go: many calls, and
// short beside what a machine's speed changes in.
const burst = 50 * time.Millisecond

// alternate lets each side call for d in all, one after the other, burst by burst:
// the machine is not the same from second to second, and what slows one of them
// slows the others as much. A side that has no more calls ends it.
func alternate(ctx context.Context, d time.Duration, sides ...side) ([]sample, error) {
	samples := make([]sample, len(sides))
	for done := time.Duration(0); done < d; done += burst {
		for i, one := range sides {
			s, err := one.load.run(ctx, min(burst, d-done), one.next, nil)
			if errors.Is(err, errNoCalls) && done > 0 {
				return samples, nil
			}
			if err != nil {
				return nil, err
			}
			samples[i] = samples[i].and(s)
		}
	}
	return samples, nil
}

var errNoCalls = errors.New("no call was made")

// run lets every connection call, again and again but once at least, until d is
// over or next has no more. next is told which connection asks. The first wrong answer ends it,
// unless forgive says that it may be.
func (l *load) run(ctx context.Context, d time.Duration, next source, forgive func(error) bool) (sample, error) {
	times := make([][]time.Duration, len(l.conns))
	troubled := make([]int, len(l.conns))
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	end := began.Add(d)
	for i, c := range l.conns {
		times[i] = make([]time.Duration, 0, 4096)
		c.until = end.Add(patience)
		if c.open {
			_ = c.SetDeadline(c.until)
		}
		group.Go(func() error {
			for before := time.Now(); ctx.Err() == nil; {
				what, ok := next(i)
				if !ok {
					return nil
				}
				err := c.call(ctx, what)
				after := time.Now()
				switch {
				case err == nil:
					times[i] = append(times[i], after.Sub(before))
				case forgive != nil && forgive(err):
					troubled[i]++
					time.Sleep(10 * time.Millisecond) // as who is told to come later
					after = time.Now()
				default:
					return err
				}
				if !after.Before(end) {
					return nil
				}
				before = after
			}
			return context.Cause(ctx)
		})
	}
	err := group.Wait()
	s := sample{took: time.Since(began)}
	for i := range times {
		s.times = append(s.times, times[i]...)
		s.troubled += troubled[i]
	}
	for _, c := range l.conns {
		s.redialled += c.redialled
		c.redialled = 0
	}
	slices.Sort(s.times)
	if err == nil && len(s.times) == 0 && forgive == nil {
		err = errNoCalls
	}
	return s, err
}

// and is what was seen in both.
func (s sample) and(more sample) sample {
	s.times = append(s.times, more.times...)
	slices.Sort(s.times)
	return sample{s.took + more.took, s.times, s.troubled + more.troubled, s.redialled + more.redialled}
}

// quantile is a time that the share q of all do not exceed.
func (s sample) quantile(q float64) time.Duration {
	if len(s.times) == 0 {
		return 0
	}
	return s.times[min(int(q*float64(len(s.times))), len(s.times)-1)]
}

func (s sample) perSecond() float64 { return float64(len(s.times)) / s.took.Seconds() }

// conn is one connection, as a browser keeps it.
type conn struct {
	net.Conn
	addr      string
	in        *bufio.Reader
	body      []byte
	open      bool
	redialled int
	// until is when whoever does not answer has failed; to set that for each call
	// would cost as much as the call.
	until time.Time
}

func (c *conn) dial(ctx context.Context) (err error) {
	if c.Conn, err = new(net.Dialer).DialContext(ctx, "tcp", c.addr); err != nil {
		return err
	}
	c.in.Reset(c.Conn)
	c.open = true
	return c.SetDeadline(c.until)
}

// call sends a request and checks the answer. A server may end a connection
// between two answers; then the request is sent once more.
func (c *conn) call(ctx context.Context, what *call) error {
	for again := false; ; again = true {
		if !c.open {
			if err := c.dial(ctx); err != nil {
				return err
			}
		}
		began, err := c.try(what)
		var wrong *wrongAnswer
		if err == nil || errors.As(err, &wrong) {
			return err
		}
		_ = c.Close()
		c.open = false
		if began || again {
			return fmt.Errorf("the connection broke: %w", err)
		}
		c.redialled++
	}
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("content-length:")
	setCookie     = []byte("set-cookie:")
	chunked       = []byte("transfer-encoding: chunked")
	closing       = []byte("connection: close")
)

// try reports whether an answer began.
func (c *conn) try(what *call) (began bool, err error) {
	if _, err := c.Write(what.request); err != nil {
		return false, err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return len(status) > 0, err
	}
	good := bytes.HasPrefix(status, statusOK)
	text := ""
	if !good {
		text = string(bytes.TrimSpace(status))
	}
	length, inChunks, last := -1, false, false
	var given []string // cookies
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return true, err
		}
		if len(line) <= 2 {
			break
		}
		switch {
		case hasPrefixFold(line, contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil {
				return true, &wrongAnswer{text: string(line)}
			}
		case hasPrefixFold(line, setCookie):
			given = append(given, string(bytes.TrimSpace(line[len(setCookie):])))
		case hasPrefixFold(line, chunked):
			inChunks = true
		case hasPrefixFold(line, closing):
			last = true
		}
	}
	c.body = c.body[:0]
	switch {
	case inChunks:
		err = c.readChunks()
	case length >= 0:
		c.body = slices.Grow(c.body, length)[:length]
		_, err = io.ReadFull(c.in, c.body)
	default:
		err = errors.New("an answer of unknown length")
	}
	if err != nil {
		return true, err
	}
	if last {
		_ = c.Close()
		c.open = false
		c.redialled++
	}
	if !good {
		return true, &wrongAnswer{text + " " + string(c.body[:min(len(c.body), 300)]), statusOf(text)}
	}
	if !bytes.Equal(c.body, what.body) {
		return true, &wrongAnswer{text: "not the body of this session's access token: " + string(c.body[:min(len(c.body), 300)])}
	}
	for _, header := range given {
		what.keep(header)
	}
	return true, nil
}

// statusOf reads "HTTP/1.1 503 Service Unavailable".
func statusOf(line string) int {
	var version string
	var status int
	_, _ = fmt.Sscan(line, &version, &status)
	return status
}

func (c *conn) readChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		at := len(c.body)
		c.body = slices.Grow(c.body, int(n)+2)[:at+int(n)+2]
		if _, err := io.ReadFull(c.in, c.body[at:]); err != nil {
			return err
		}
		c.body = c.body[:at+int(n)]
		if n == 0 {
			return nil
		}
	}
}

func hasPrefixFold(line, prefix []byte) bool {
	return len(line) >= len(prefix) && bytes.EqualFold(line[:len(prefix)], prefix)
}
