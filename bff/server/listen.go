package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"cloakroom/bff/session/sealed"
)

// The bounds of a connection. There is none for a whole answer, which may be a
// stream.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10 // bytes; net/http answers 431 above it
	drainTimeout  = 20 * time.Second
	renewalDrain  = 5 * time.Second // after it, for renewals whose callers were cut
)

// Run serves on the configured addresses until ctx ends, then lets what is
// under way finish. ready is called once both listeners accept; nil is fine.
func (s *Server) Run(ctx context.Context, ready func()) error {
	public, err := listen(s.config.Listen)
	if err != nil {
		return err
	}
	admin, err := listen(s.config.AdminListen)
	if err != nil {
		_ = public.Close()
		return err
	}
	if s.config.TLS.CertFile != "" {
		certificate, err := newCertificate(s.config.TLS.CertFile, s.config.TLS.KeyFile)
		if err != nil {
			_, _ = public.Close(), admin.Close()
			return err
		}
		public = tls.NewListener(public, &tls.Config{
			MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: certificate.get,
		})
	}
	s.log.Info("listening", "public", s.config.Listen, "admin", s.config.AdminListen, "origin", s.config.Origin())
	if ready != nil {
		ready()
	}
	return s.serve(ctx, listener{public, s.handler}, listener{admin, s.admin})
}

// listener is where a handler serves.
type listener struct {
	net.Listener
	handler http.Handler
}

// serve runs the listeners and the background work until ctx ends or one of
// them fails, and drains.
func (s *Server) serve(ctx context.Context, listeners ...listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	failed := make(chan error, len(listeners))
	worked := make(chan error, 1)
	go func() { worked <- s.Work(working) }()
	servers := make([]*http.Server, len(listeners))
	for i, l := range listeners {
		servers[i] = newHTTPServer(s.lastAnswers(l.handler), s.log)
		go func() { failed <- servers[i].Serve(l) }()
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	case err = <-worked:
		err = errors.Join(errors.New("server: the background work ended by itself"), err)
		worked <- nil
	}
	err = errors.Join(err, s.shutDown(servers))
	stopWork()
	return errors.Join(err, <-worked, s.store.close())
}

// shutDown says that the server leaves, and goes on for as long as whoever
// stands in front needs to hear it. Then it stops accepting, sends the tabs and
// event streams elsewhere, finishes the requests and renewals under way, and
// cuts what is still open at the end of the drain: answers that go on and on.
func (s *Server) shutDown(servers []*http.Server) error {
	s.health.Drain()
	if s.config.DrainDelay > 0 {
		s.log.Info("leaving", "seconds", s.config.DrainDelay.Seconds())
		time.Sleep(s.config.DrainDelay)
	}
	s.log.Info("draining", "seconds", int(drainTimeout/time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	s.leave()
	var errs []error
	for _, server := range servers {
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("cutting open answers")
			err = server.Close()
		}
		errs = append(errs, err)
	}
	renewals, cancelRenewals := context.WithTimeout(context.Background(), renewalDrain)
	defer cancelRenewals()
	if err := s.refresh.Drain(renewals); err != nil {
		errs = append(errs, fmt.Errorf("server: renewals under way were lost: %w", err))
	}
	s.log.Info("stopped")
	return errors.Join(errs...)
}

func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: oneRequest(handler), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is refused like every other target that is no path
		ConnContext:                  sealed.Connection,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug), // broken handshakes and the like: anyone can cause them
	}
}

// lastAnswers ends each connection with its next answer once the server leaves,
// so that a balancer, which keeps connections for later requests, sends none
// into one that is just being closed. A WebSocket's connection is its own.
func (s *Server) lastAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.health.Draining() && r.Header.Get("Upgrade") == "" {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// oneRequest closes a connection after a request with a transfer coding. Such a
// request may have had a Content-Length too, which net/http drops before anyone
// can look; whoever stands before us may have gone by it, and what follows
// would be a request that nobody sent (RFC 9112 §6.1: MUST close). Browsers
// send no transfer coding over HTTP/1. In HTTP/1.0, which has no codings,
// net/http drops the header itself: there nobody can tell, and every connection
// ends with its first answer.
func oneRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// listen opens a port, and says what to do when it is taken.
func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &ListenError{addr, err}
	}
	return l, nil
}

// ListenError says that an address could not be had.
type ListenError struct {
	Addr string
	Err  error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("cannot listen on %s: %v", e.Addr, rootCause(e.Err))
}

func (e *ListenError) Unwrap() error { return e.Err }

// rootCause drops what net repeats around it ("listen tcp 127.0.0.1:8080: bind: ...").
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
