package e2e_test

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"os"
	"sync"
	"testing"
)

// TestMain catches what is logged past the logger that the server was given.
// Tokens are searched for there too.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(&stray, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.SetOutput(io.MultiWriter(&stray, os.Stderr))
	os.Exit(m.Run())
}

// stray is shared by all tests of the process.
var stray strayLog

type strayLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *strayLog) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *strayLog) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}
