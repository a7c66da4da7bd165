package server_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/server"
)

// With dpop: true, tokens are of no use to the demo's own API without their
// session's key, renewed ones neither (RFC 9449).
func TestATokenOfASessionWithDPoPIsRefusedElsewhere(t *testing.T) {
	for bound, name := range map[bool]string{true: "with DPoP", false: "without"} {
		t.Run(name, func(t *testing.T) {
			w := openDemo(t, idp.FaultNone, server.DemoOptions{DPoP: bound, AccessTokenLifetime: time.Second})
			v := newVisitor(t, w.Origin)
			v.signIn(t)
			if got := v.callUntilRenewalCounts(t); got.StatusCode != http.StatusOK {
				t.Fatalf("the victim's call answers %d: %s", got.StatusCode, got.body)
			}
			w.issued.mu.Lock()
			tokens := slices.Clone(w.issued.tokens)
			w.issued.mu.Unlock()
			taken := 0
			for _, token := range tokens {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.APIOrigin+"/orders", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+token)
				if v.do(t, r).StatusCode == http.StatusOK {
					taken++
				}
			}
			if (taken > 0) == bound {
				t.Errorf("of %d tokens, the API took %d", len(tokens), taken)
			}
		})
	}
}
