package storetest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"iter"
	"slices"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Remains is all the bytes of one kind that a store left somewhere, in pieces:
// a server's memory, its files, what went over the wire.
type Remains func(t *testing.T) iter.Seq[[]byte]

// marker is in every text of the session that RunDump looks for.
const marker = "in-clear"

// RunDump keeps a real session in s, whose context is left as it was created
// and updated, and looks for it in all of its remains: it must find what is
// sealed and nothing of what is in it, whatever the encoding.
func RunDump(t *testing.T, s session.Store, remains map[string]Remains) {
	m, err := session.New(s, session.Config{
		Keys: session.EphemeralKeyRing(), Lifetimes: session.Lifetimes{Idle: time.Hour, Absolute: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := m.Create(t.Context(), session.Session{
		Issuer: "https://issuer-in-clear.example", Subject: "subject-in-clear", SID: "sid-in-clear", Claims: []byte(`["claims-in-clear"]`),
		Device: session.Device{UserAgent: "browser-in-clear", Address: "network-in-clear"}, ACR: "acr-in-clear",
		Tokens: session.Tokens{
			Access: secret.New("access-token-in-clear"), Refresh: secret.New("refresh-token-in-clear"), ID: secret.New("id-token-in-clear"),
			Scopes: []string{"scope-in-clear"}, Key: secret.New("key-in-clear"),
		},
		Grants: []session.Grant{{Resource: "resource-in-clear", Access: secret.New("granted-token-in-clear")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Update(t.Context(), ticket, func(s *session.Session) error { s.Refreshes++; return nil }); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), ticket.ID())
	if err != nil {
		t.Fatal(err)
	}
	bits, err := base64.RawURLEncoding.DecodeString(ticket.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range remains {
		t.Run(name, func(t *testing.T) {
			sealed, clear := search{traces(r.Data[:48]), nil}, search{append(traces([]byte(marker)), traces([]byte(ticket.Reveal()))...), nil}
			clear.texts = append(clear.texts, traces(bits)...)
			size := 0
			for piece := range in(t) {
				size += len(piece)
				sealed.in(piece)
				clear.in(piece)
			}
			if len(sealed.found) == 0 {
				t.Errorf("not even the sealed session is in these %d bytes: this test looks in the wrong place", size)
			}
			for _, around := range clear.found {
				t.Errorf("in clear: %q", around)
			}
			t.Logf("%d bytes hold the sealed session and nothing of what is in it", size)
		})
	}
}

// search looks for texts and keeps the surroundings of what it finds.
type search struct {
	texts []string
	found []string
}

func (s *search) in(piece []byte) {
	for _, text := range s.texts {
		if at := bytes.Index(piece, []byte(text)); at >= 0 && len(s.found) < 10 {
			s.found = append(s.found, string(piece[max(0, at-30):min(len(piece), at+len(text)+30)]))
		}
	}
}

// traces are the forms in which b may be somewhere: as it is, in hex, and in
// base64 of either alphabet wherever it begins.
func traces(b []byte) []string {
	all := []string{string(b), hex.EncodeToString(b)}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString(append(make([]byte, before), b...))
			// The characters at either end hold bits of the neighbours too.
			first, last := (before*8+5)/6, (before+len(b))*8/6
			all = append(all, text[first:last])
		}
	}
	slices.Sort(all) // the alphabets differ in two letters
	return slices.Compact(all)
}
