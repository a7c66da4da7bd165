package stage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
)

// Exchange is one request as the browser sent it and the answer as it came,
// seen on the wire: redirects, preflights and workers' requests included.
type Exchange struct {
	// URL is absolute.
	Method, URL   string
	RequestHeader http.Header // with Host
	RequestBody   []byte
	// Status is 0 while there is no answer.
	Status int
	Header http.Header
	// Body is decoded from its Content-Encoding. Wire is its length before.
	Body []byte
	Wire int
}

// tap passes bytes on between the browser and the server and writes them down.
// It never changes, delays or holds up any. What has reached the browser is in
// the next snapshot.
type tap struct {
	upstream string
	listener net.Listener
	wg       sync.WaitGroup

	mu        sync.Mutex
	exchanges []*taped
	open      map[net.Conn]bool
	reels     map[*reel]bool
	cut       bool
}

type taped struct {
	Exchange
	raw bytes.Buffer // the answer's body as far as it came, of which Wire bytes are in Body
}

func newTap(upstream string) (*tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{upstream: upstream, listener: l, open: map[net.Conn]bool{}, reels: map[*reel]bool{}}
	t.wg.Go(t.serve)
	return t, nil
}

func (t *tap) serve() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			return
		}
		t.wg.Go(func() { t.pass(conn) })
	}
}

func (t *tap) close() {
	_ = t.listener.Close()
	t.setCut(true)
	t.wg.Wait()
}

// setCut breaks every connection and refuses new ones, until it is taken back.
func (t *tap) setCut(cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut = cut
	for conn := range t.open {
		if cut {
			_ = conn.Close()
		}
	}
}

func (t *tap) pass(client net.Conn) {
	defer client.Close()
	t.mu.Lock()
	refused := t.cut
	t.open[client] = true
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.open, client)
		t.mu.Unlock()
	}()
	if refused {
		return
	}
	server, err := net.Dial("tcp", t.upstream)
	if err != nil {
		return
	}
	defer server.Close()

	reel := newReel()
	t.mu.Lock()
	t.reels[reel] = true
	t.mu.Unlock()
	var reading sync.WaitGroup
	reading.Go(func() {
		t.read(&reel.requests, &reel.answers)
		reel.leave()
		t.mu.Lock()
		delete(t.reels, reel)
		t.mu.Unlock()
	})
	var passing sync.WaitGroup
	passing.Go(func() { carry(server, client, &reel.requests) })
	carry(client, server, &reel.answers)
	_ = client.Close() // an answer that ended its connection ends the other half
	passing.Wait()
	reading.Wait()
}

// carry copies from src to dst and onto the tape until either closes.
func carry(dst, src net.Conn, onto *tape) {
	_, _ = io.Copy(io.MultiWriter(onto, dst), src)
	onto.end()
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// read turns the two tapes of a connection into exchanges.
func (t *tap) read(requests, answers *tape) {
	in, out := bufio.NewReader(requests), bufio.NewReader(answers)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(req.Body)
		header := req.Header.Clone()
		header.Set("Host", req.Host)
		one := &taped{Exchange: Exchange{
			Method: req.Method, URL: "http://" + req.Host + req.RequestURI, RequestHeader: header, RequestBody: body,
		}}
		t.mu.Lock()
		t.exchanges = append(t.exchanges, one)
		t.mu.Unlock()
		resp, err := finalResponse(out, req)
		if err != nil {
			return
		}
		t.mu.Lock()
		one.Status, one.Header = resp.StatusCode, resp.Header
		t.mu.Unlock()
		if resp.StatusCode == http.StatusSwitchingProtocols {
			_, _ = io.Copy(writer{t, one}, out)
			return
		}
		if _, err := io.Copy(writer{t, one}, resp.Body); err != nil {
			return
		}
	}
}

// finalResponse skips informational answers (RFC 9110 §15.2).
func finalResponse(out *bufio.Reader, req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(out, req)
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

// writer adds to an answer's body.
type writer struct {
	tap *tap
	to  *taped
}

func (w writer) Write(p []byte) (int, error) {
	w.tap.mu.Lock()
	defer w.tap.mu.Unlock()
	return w.to.raw.Write(p)
}

func (t *tap) snapshot() []Exchange {
	t.mu.Lock()
	reels := slices.Collect(maps.Keys(t.reels))
	t.mu.Unlock()
	for _, r := range reels {
		r.wait()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Exchange, len(t.exchanges))
	for i, one := range t.exchanges {
		if one.Wire != one.raw.Len() {
			one.Body = decode(slices.Clone(one.raw.Bytes()), one.Header.Get("Content-Encoding"))
			one.Wire = one.raw.Len()
		}
		list[i] = one.Exchange
	}
	return list
}

// decode unpacks as much of a body as came.
func decode(raw []byte, coding string) []byte {
	switch coding {
	case "br":
		plain, _ := io.ReadAll(brotli.NewReader(bytes.NewReader(raw)))
		return plain
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return raw
		}
		plain, _ := io.ReadAll(r)
		return plain
	}
	return raw
}

// reel is the two directions of a connection, and one reader of both.
type reel struct {
	mu                sync.Mutex
	turn              sync.Cond
	requests, answers tape
	left              bool // by the reader
}

// tape holds one direction of a connection until somebody reads it, however
// much that is: writing never waits for reading.
type tape struct {
	reel   *reel
	buf    bytes.Buffer
	empty  bool // as the reader found, who waits for more
	closed bool
}

func newReel() *reel {
	r := &reel{}
	r.turn.L = &r.mu
	r.requests.reel, r.answers.reel = r, r
	return r
}

// wait returns once the reader has read what was written so far. It reads by
// turns, so that it waits for more of one direction says that it is done with
// the other.
func (r *reel) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.left && !r.requests.empty && !r.answers.empty {
		r.turn.Wait()
	}
}

func (r *reel) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
	r.turn.Broadcast()
}

var errTapeClosed = errors.New("stage: the tape has ended")

func (t *tape) Write(p []byte) (int, error) {
	t.reel.mu.Lock()
	defer t.reel.mu.Unlock()
	if t.closed {
		return 0, errTapeClosed
	}
	t.empty = false
	t.reel.turn.Broadcast()
	return t.buf.Write(p)
}

func (t *tape) Read(p []byte) (int, error) {
	t.reel.mu.Lock()
	defer t.reel.mu.Unlock()
	for t.buf.Len() == 0 && !t.closed {
		t.empty = true
		t.reel.turn.Broadcast()
		t.reel.turn.Wait()
	}
	if t.empty = false; t.buf.Len() == 0 {
		return 0, io.EOF
	}
	return t.buf.Read(p)
}

func (t *tape) end() {
	t.reel.mu.Lock()
	defer t.reel.mu.Unlock()
	t.closed, t.empty = true, false
	t.reel.turn.Broadcast()
}
