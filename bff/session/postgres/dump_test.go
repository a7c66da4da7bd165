package postgres_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// TestTheServersFilesTellNothing looks for a real session in all the server
// wrote: tables, indexes and the write-ahead log.
func TestTheServersFilesTellNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.schema(t))
	m, err := session.New(s, session.Config{
		Keys: session.EphemeralKeyRing(), Lifetimes: session.Lifetimes{Idle: time.Hour, Absolute: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := m.Create(t.Context(), session.Session{
		Issuer: "https://issuer-in-clear.example", Subject: "subject-in-clear", SID: "sid-in-clear", Claims: []byte(`["claims-in-clear"]`),
		Tokens: session.Tokens{
			Access: secret.New("access-token-in-clear"), Refresh: secret.New("refresh-token-in-clear"), ID: secret.New("id-token-in-clear"),
			Scopes: []string{"scope-in-clear"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Update(t.Context(), ticket, func(s *session.Session) error { s.Refreshes++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), ticket.ID())
	if err != nil {
		t.Fatal(err)
	}
	w.admin(t, "CHECKPOINT")

	if !anyFileHas(t, w.Data, r.Data[:64]) {
		t.Error("not even the sealed data is found: this test looks in the wrong place")
	}
	for _, text := range []string{"in-clear", ticket.Reveal()} {
		if anyFileHas(t, w.Data, []byte(text)) {
			t.Errorf("the server's files show %q", text)
		}
	}
}

func anyFileHas(t testing.TB, dir string, text []byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) { // the server tidies up
			return nil
		}
		found = found || bytes.Contains(content, text)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return found
}
