package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// exchange is one request on its way to the upstream and its answer on the way
// back.
type exchange struct {
	*route
	w      http.ResponseWriter
	in     *http.Request
	path   string // the upstream's, decoded
	grant  Grant
	proof  secret.String // of the grant's key, as last sent
	socket bool          // the client opens a WebSocket
	ctx    context.Context
	cancel context.CancelCauseFunc
	wait   patience
	hints  informational
	body   *clientBody    // nil when the request has none
	answer *http.Response // once it began
	flows  bool           // the answer is passed on as it comes
	ties   ties
	conn   *switchedConn // nil unless socket
}

// serve decides about a request and forwards it. Errors it returns come before
// anything was written.
func (t *route) serve(w http.ResponseWriter, r *http.Request) error {
	if !slices.Contains(t.Methods, r.Method) {
		w.Header().Set("Allow", t.allow)
		return problem.New(problem.MethodNotAllowed, nil)
	}
	path, err := t.upstreamPath(r.URL)
	if err != nil {
		return err
	}
	if t.proxy.maxBody > 0 && r.ContentLength > t.proxy.maxBody {
		return problem.New(problem.RequestTooLarge, nil)
	}
	grant, err := t.findGrant(w, r)
	if err != nil {
		return err
	}
	x := &exchange{route: t, w: w, in: r, path: path, grant: grant, socket: isWebSocket(r)}
	x.forward()
	return nil
}

// upstreamPath maps the path that was decided about to the one that is sent:
// what follows Route.Path is appended to Upstream.Path. The server has checked
// the path before; checking again makes this safe alone (BBA-17).
func (t *route) upstreamPath(u *url.URL) (string, error) {
	path, err := t.proxy.checkPath(u)
	if err != nil {
		return "", err
	}
	rest, below := strings.CutPrefix(path, t.Path)
	if !below {
		return "", problem.New(problem.NotFound, nil)
	}
	return t.Upstream.Path + rest, nil
}

// findGrant asks for the token as the route wants it. Only "nobody is signed
// in" lets an optional route go on without: a store that does not answer is
// not an answer.
func (t *route) findGrant(w http.ResponseWriter, r *http.Request) (Grant, error) {
	if t.Auth == None {
		return Grant{}, nil
	}
	grant, err := t.proxy.tokens.Token(w, r, t.Want)
	if err != nil {
		code := problem.CodeOf(err)
		if t.Auth == Optional && (code == problem.SessionRequired || code == problem.SessionEnded) {
			return Grant{}, nil
		}
		return Grant{}, err
	}
	if grant.Access.Empty() && t.Auth == Required {
		return Grant{}, problem.New(problem.SessionRequired, errors.New("proxy: the token source gave an empty token"))
	}
	return grant, nil
}

// forward sends the request on, and its answer back.
func (x *exchange) forward() {
	// Cancelled when the client is gone, when the upstream is silent for too
	// long, and when all is done.
	x.ctx, x.cancel = context.WithCancelCause(x.in.Context())
	defer x.cancel(nil)
	defer x.ties.release()
	x.wait.limit, x.wait.giveUp = x.Timeout, x.silence
	x.hints.w, x.hints.in = x.w, x.in
	if x.socket {
		x.upgrade()
		return
	}
	if x.in.ContentLength != 0 {
		// The answer may begin before the body ends. HTTP/2 always can; a
		// writer that cannot at all serves what does not need it.
		_ = http.NewResponseController(x.w).EnableFullDuplex()
	}
	out := x.request()
	if x.body != nil {
		defer x.body.end()
	}
	res, err := x.roundTrip(out)
	if err != nil {
		x.fail(x.w, x.in, err)
		return
	}
	x.reply(res)
}

func (x *exchange) silence() { x.cancel(errSilent) }

// roundTrip sends the request and waits for the head of the answer.
func (x *exchange) roundTrip(out *http.Request) (*http.Response, error) {
	x.wait.start()
	res, err := x.send(out)
	x.hints.stop()
	x.wait.stop()
	if err == nil && context.Cause(x.ctx) == errSilent {
		_ = res.Body.Close()
		return nil, errSilent
	}
	return res, err
}

// fail answers for an upstream that did not. It is called before anything was
// written, except after a protocol switch.
func (x *exchange) fail(w http.ResponseWriter, _ *http.Request, err error) {
	code := problem.UpstreamUnavailable
	var known *problem.Error
	var network net.Error
	var tooLarge *http.MaxBytesError
	bodyErr := x.body.failure()
	switch {
	case context.Cause(x.ctx) == errSilent:
		code = problem.UpstreamTimeout
	case x.answer != nil && x.answer.StatusCode == http.StatusSwitchingProtocols, x.in.Context().Err() != nil:
		// Nobody is there to read an answer. An aborted connection says so to
		// every proxy in between, where a return would say 200.
		x.proxy.log.LogAttrs(x.in.Context(), slog.LevelDebug, "client gone", slog.String("route", x.Path), slog.String("cause", x.redacted(err)))
		panic(http.ErrAbortHandler)
	case errors.As(bodyErr, &tooLarge):
		code = problem.RequestTooLarge
	case bodyErr != nil:
		code = problem.BadRequest
	case errors.As(err, &known):
		code = known.Code
	case errors.As(err, &network) && network.Timeout():
		code = problem.UpstreamTimeout
	}
	x.proxy.respond.Error(w, x.in, problem.New(code, errors.New("proxy: forward: "+x.redacted(err))))
}

// redacted is err's text without the token and the proof: a malformed answer is
// quoted in the error, and may echo what was sent.
func (x *exchange) redacted(err error) string {
	text := err.Error()
	for _, sent := range []secret.String{x.grant.Access, x.proof} {
		if !sent.Empty() {
			text = strings.ReplaceAll(text, sent.Reveal(), secret.Redacted)
		}
	}
	return text
}
