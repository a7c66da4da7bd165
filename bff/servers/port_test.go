package servers_test

import (
	"testing"

	"cloakroom/bff/servers"
)

// Of so many draws some are the same, unless who has a port keeps it.
func TestAPortIsGivenOnce(t *testing.T) {
	given := make(map[int]bool)
	for range 700 {
		port := servers.FreePort(t)
		if given[port] {
			t.Fatalf("%d is given twice", port)
		}
		given[port] = true
	}
}
