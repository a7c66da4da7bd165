package server_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"cloakroom/shared"
)

// devices is what GET /bff/sessions tells.
func (v *visitor) devices(t *testing.T) []shared.Device {
	t.Helper()
	got := v.call(t, http.MethodGet, shared.PathSessions)
	var list []shared.Device
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %s", shared.PathSessions, got.StatusCode, got.body)
	}
	return list
}

// handle is the visitor's own.
func (v *visitor) handle(t *testing.T) string {
	t.Helper()
	for _, d := range v.devices(t) {
		if d.Current {
			return d.Handle
		}
	}
	t.Fatal("the session is not among the user's")
	return ""
}

// mustEnd asks for the end of a session and fails unless it is granted.
func (v *visitor) mustEnd(t *testing.T, handle string) {
	t.Helper()
	if got := v.call(t, http.MethodDelete, shared.PathSessions+"/"+handle); got.StatusCode != http.StatusNoContent {
		t.Errorf("DELETE %s: %d %s", shared.PathSessions, got.StatusCode, got.body)
	}
}

// TestAUserFindsTheirSessions: what the store can do reaches the endpoints,
// through all that stands before it.
func TestAUserFindsTheirSessions(t *testing.T) {
	s := open(t, "http", "")
	here, there := newVisitor(t, s.origin), newVisitor(t, s.origin)
	here.signIn(t)
	there.signIn(t)
	if list := here.devices(t); len(list) != 2 {
		t.Errorf("the user has %d sessions", len(list))
	}
	here.mustEnd(t, there.handle(t))
	there.mustBe(t, http.StatusUnauthorized)
	here.mustBe(t, http.StatusOK)
	if list := here.devices(t); len(list) != 1 || list[0].Handle != here.handle(t) {
		t.Errorf("the user has %d sessions left", len(list))
	}
}
