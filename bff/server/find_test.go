package server_test

import (
	"net/http"
	"testing"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/server"
	"cloakroom/shared"
)

// TestAUserFindsTheirSessions: what the store can look up, the endpoints can
// ask for, through everything that the server puts before the store.
func TestAUserFindsTheirSessions(t *testing.T) {
	w := openDemo(t, idp.FaultNone, server.DemoOptions{})
	v := newVisitor(t, w.Origin)
	v.signIn(t)
	if got := v.call(t, http.MethodGet, shared.PathSessions); got.StatusCode != http.StatusOK {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
