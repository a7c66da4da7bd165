package stage

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/server"
)

// Options of a Stage. The zero value is the demo as anybody starts it, on a
// free port.
type Options struct {
	// Host of the application: localhost or below it; empty means localhost.
	Host string
	// AccessTokenLifetime, 0 means 60s; at least a second.
	AccessTokenLifetime time.Duration
	// SessionIdle ends a session that nobody uses, SessionAbsolute any; 0 means
	// half an hour, and half a day.
	SessionIdle, SessionAbsolute time.Duration
	// ProviderTimeout bounds each call of the BFF to the provider; 0 means 10s.
	ProviderTimeout time.Duration
	// Lab is where a live lab answers; empty: there is none.
	Lab string
	// Guest is a further application in the demo's world; nil: there is none.
	Guest *server.Guest
	// Fault is there before the BFF first speaks to the provider.
	Fault idp.Fault
}

// Stage is a running demo.
type Stage struct {
	Demo *server.Demo
	// Origin, IDPOrigin and APIOrigin are those of the demo, without a slash.
	Origin, IDPOrigin, APIOrigin string
	// Admin is where health and metrics are.
	Admin string

	log    lockedBuffer
	mu     sync.Mutex
	issued []Issued
	stop   func() error
}

// Issued is one token or code that the provider gave out. Kind is one of
// shared.TokenAccess, TokenRefresh, TokenID, idp.KindCode and idp.KindLogout.
type Issued struct {
	Kind, Value string
	At          time.Time
}

// Open starts a demo that runs until the test ends.
func Open(t T, o Options) *Stage {
	t.Helper()
	s := &Stage{}
	demo, err := server.OpenDemo(server.DemoOptions{
		Listen: "127.0.0.1:0", Host: o.Host, Version: "e2e",
		AccessTokenLifetime: o.AccessTokenLifetime, SessionIdle: o.SessionIdle, SessionAbsolute: o.SessionAbsolute, ProviderTimeout: o.ProviderTimeout, OnIssue: s.issue, Lab: o.Lab, Guest: o.Guest,
		// Without the redaction of bff/observe: what is searched for tokens is
		// what the server logs, not what a filter leaves of it.
		Log: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatalf("stage: open the demo: %v", err)
	}
	s.Demo, s.Origin, s.IDPOrigin, s.APIOrigin = demo, demo.Origin, demo.IDPOrigin, demo.APIOrigin
	demo.IDP.SetFault(o.Fault)

	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- demo.Run(ctx, func(admin string) { ready <- admin }) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stage: the server did not drain: %v", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.Log())
		}
	})
	select {
	case s.Admin = <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("stage: the demo ended at once: %v", err)
	}
	Until(t, Patience, "the demo to be ready", func() bool {
		resp, err := http.Get(s.Admin + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

// Stop ends the server early and reports whether it drained.
func (s *Stage) Stop() error { return s.stop() }

// Log is all the server has logged so far, at debug level, unredacted.
func (s *Stage) Log() string { return s.log.String() }

func (s *Stage) issue(kind, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued = append(s.issued, Issued{kind, value, time.Now()})
}

// Issued lists what the provider gave out so far, of the given kinds or of all.
func (s *Stage) Issued(kinds ...string) []Issued {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Issued
	for _, one := range s.issued {
		if len(kinds) == 0 || slices.Contains(kinds, one.Kind) {
			list = append(list, one)
		}
	}
	return list
}

// Last is the value that was given out last of a kind; "" if there is none.
func (s *Stage) Last(kind string) string {
	list := s.Issued(kind)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1].Value
}

// port is the one port of all three origins.
func (s *Stage) port() string {
	u, _ := url.Parse(s.Origin)
	return u.Port()
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
