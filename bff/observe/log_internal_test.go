package observe

import "testing"

// FuzzSuspect: what suspect lets pass unread has no token in it.
func FuzzSuspect(f *testing.F) {
	for _, text := range []string{
		"", "/api/orders", "eyJhbGciOiJIUzI1NiJ9.e30", "/x/eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "Bearer\tabcdefgh", "bearer\nabcdefgh", "DPoP\fabcdefgh",
		"basic\rabcdefgh", "Basic abcdefgh", "code=x", "?STATE=x", "bearerabcdefgh", "eyj0.x", "pa\u017fſword=x", "bearer\u00a0abcdefgh",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if tokenLike.MatchString(text) && !suspect(text) {
			t.Errorf("%q is not looked at", text)
		}
	})
}
