package api

import (
	"context"
	"io"
	"net/http"

	"github.com/coder/websocket"

	"cloakroom/shared/problem"
)

const (
	maxEchoBody    = 16 << 20 // bytes of a body that comes back
	maxEchoMessage = 64 << 10 // bytes of a WebSocket message that comes back
)

// echoBody sends the body back while it arrives, piece by piece, so that a
// caller can wait for each piece before it sends the next.
func (a *API) echoBody(w http.ResponseWriter, r *http.Request, _ *accessToken) error {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/1 only; HTTP/2 has it always
	w.Header().Set("Content-Type", "application/octet-stream")
	body := http.MaxBytesReader(w, r.Body, maxEchoBody)
	piece := make([]byte, 32<<10)
	begun := false
	for {
		n, err := body.Read(piece)
		if n > 0 {
			begun = true
			if _, err := w.Write(piece[:n]); err != nil {
				return nil // the caller has gone
			}
			_ = control.Flush()
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil && !begun:
			return bodyProblem(err)
		case err != nil:
			panic(http.ErrAbortHandler) // a cut answer must not look whole
		}
	}
}

// echoMessages sends WebSocket messages back until the caller closes or the
// token expires.
func (a *API) echoMessages(w http.ResponseWriter, r *http.Request, t *accessToken) error {
	if r.Method != http.MethodGet || r.Header.Get("Upgrade") == "" {
		w.Header().Set("Allow", "GET, POST")
		return problem.New(problem.MethodNotAllowed, nil).WithDetail("GET is for WebSocket.")
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		// The Origin check guards cookies. Here a bearer token did, which no
		// page of another origin can send; and behind a proxy Origin and Host
		// differ by right.
		InsecureSkipVerify: true,
	})
	if err != nil {
		return nil // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxEchoMessage)
	ctx, cancel := context.WithTimeout(r.Context(), t.expires.Add(leeway).Sub(a.cfg.Now()))
	defer cancel()
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			return nil
		}
		if err := conn.Write(ctx, kind, message); err != nil {
			return nil
		}
	}
}
