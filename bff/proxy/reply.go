package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// reply passes the answer on: head, body as it comes, trailer.
func (x *exchange) reply(res *http.Response) {
	connection := res.Header["Connection"]
	for name := range res.Header {
		if hopByHop(name) || len(connection) > 0 && listed(connection, name) {
			delete(res.Header, name)
		}
	}
	if err := x.receive(res); err != nil {
		_ = res.Body.Close()
		x.fail(x.w, x.in, err)
		return
	}
	h := x.w.Header()
	for name, values := range res.Header {
		if ours := h[name]; len(ours) > 0 {
			values = slices.Concat(ours, values)
		}
		h[name] = values
	}
	announced := len(res.Trailer)
	if announced > 0 {
		announceTrailer(h, res.Trailer)
	}
	x.w.WriteHeader(res.StatusCode)
	if err := x.copyBody(res); err != nil {
		// All that can be done is to let nobody think that this was all.
		_ = res.Body.Close()
		panic(http.ErrAbortHandler)
	}
	_ = res.Body.Close() // now the trailer is there
	x.copyTrailer(res, announced)
}

// copyBody passes the body on. What flows is flushed at once: a stream is only
// one if it moves.
func (x *exchange) copyBody(res *http.Response) error {
	if res.Body == http.NoBody {
		return nil
	}
	flush := func() error { return nil }
	if x.flows {
		flush = http.NewResponseController(x.w).Flush
	}
	if res.ContentLength < 0 {
		_ = flush() // the head need not wait for the first piece
	}
	buffer := x.proxy.buffers.Get()
	defer x.proxy.buffers.Put(buffer)
	for {
		n, err := res.Body.Read(buffer)
		if n > 0 {
			if _, gone := x.w.Write(buffer[:n]); gone != nil {
				return gone
			}
			_ = flush()
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			if !errors.Is(err, context.Canceled) {
				x.proxy.log.LogAttrs(x.in.Context(), slog.LevelWarn, "stream broken", slog.String("route", x.Path), slog.String("cause", masked(x.redacted(err))))
			}
			return err
		}
	}
}

// announceTrailer names what will be passed on. What is named is sent from h, even
// if it is of our own.
func announceTrailer(h, trailer http.Header) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(trailer)) {
		if !forbidden(name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		h["Trailer"] = []string{strings.Join(names, ", ")}
	}
}

// copyTrailer passes on what came after the body, but for what the header may
// not have: a recipient may merge the two (RFC 9110 §6.5).
func (x *exchange) copyTrailer(res *http.Response, announced int) {
	if len(res.Trailer) == 0 {
		return
	}
	// A short body of known length could not have a trailer: this makes it
	// chunked.
	_ = http.NewResponseController(x.w).Flush()
	h, prefix := x.w.Header(), ""
	if len(res.Trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for name, values := range res.Trailer {
		if !forbidden(http.CanonicalHeaderKey(name)) {
			h[prefix+name] = values
		}
	}
}
