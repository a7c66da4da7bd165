package observe

import "testing"

// FuzzRedact: what spares the search for tokens never spares one that finds
// something.
func FuzzRedact(f *testing.F) {
	for _, text := range []string{
		"", "/api/orders", "eyJhbGciOiJ.e30", "eyJhbGci.e30", "bearer\tabcdefgh", "DPoP abcdefgh", "Basic\fabcdefgh", "basic\rabcdefgh", "Bearer\nabcdefgh",
		"state=x", "?code=y", "password=z", "Bearer\vabcdefgh", "id_token = a", "bearer\u00a0abcdefgh",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if tokenLike.MatchString(text) && !mayBeTokenLike(text) {
			t.Errorf("%q would be shown", text)
		}
	})
}
