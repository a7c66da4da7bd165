package session

import "testing"

// FuzzDecode: whatever was sealed, by whichever version, must not bring the
// server down.
func FuzzDecode(f *testing.F) {
	full := Session{Issuer: "i", Subject: "s", SID: "x", Claims: []byte("[]"), Refreshes: 2, Tokens: Tokens{Scopes: []string{"a", ""}}}
	f.Add(full.encode())
	f.Add([]byte{0x08, 0x96, 0x01, 0xff})
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(s.encode())
		if err != nil || again.Subject != s.Subject || string(again.Claims) != string(s.Claims) || !again.Deadline.Equal(s.Deadline) {
			t.Errorf("encoding is not stable: %+v, %v", again, err)
		}
	})
}
