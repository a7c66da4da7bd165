package idp

import "testing"

// TestAFaultThatEndsByItselfHitsThoseItCounted, and not whoever comes to look
// for it next: of two requests at once the second ends a fault of one.
func TestAFaultThatEndsByItselfHitsThoseItCounted(t *testing.T) {
	g := newGate()
	g.set(FaultTokenError, 1)
	first, second := g.token(), g.token()
	if first.wire == nil || second.wire != nil {
		t.Errorf("the first is hit: %v, the second: %v", first.wire != nil, second.wire != nil)
	}
}
