package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/session"
)

func newServer(t *testing.T) *Server {
	t.Helper()
	c, err := config.Parse("test", []byte(`
public_url: http://app.localhost:8080
provider: {issuer: "http://idp.localhost:8081", client_id: app, client_secret: not-a-secret-of-anybody}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// broken is a store whose own work fails.
type broken struct{ session.Store }

var errBroken = errors.New("the port of the cluster is taken")

func (broken) Run(context.Context) error { return errBroken }

// What does its work no more is no server: it must not seem to run until
// somebody stops it.
func TestWorkThatFailsIsHeardAtOnce(t *testing.T) {
	s := newServer(t)
	s.store.Store = broken{s.store.Store}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Work(ctx); !errors.Is(err, errBroken) || ctx.Err() != nil {
		t.Errorf("Work = %v", err)
	}
}

// oneConn is a listener that has one connection to accept.
type oneConn struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l oneConn) Close() error   { close(l.closed); return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// An answer that goes on and on is cut, and is no failure: no renewal is lost by
// it, and none is said to be.
func TestADrainThatCutsAnAnswerIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		begun := make(chan struct{})
		endless := newHTTPServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		}), s.log)
		l := oneConn{make(chan net.Conn), make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- endless.Serve(l) }()
		here, there := net.Pipe()
		l.conns <- there
		if _, err := here.Write([]byte("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		<-begun
		if err := s.shutDown([]*http.Server{endless}); err != nil {
			t.Errorf("the stop failed: %v", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		_ = here.Close()
	})
}
