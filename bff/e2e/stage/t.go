package stage

import (
	"context"
	"time"
)

// T is what the stage needs of a test; *testing.T has it, and so can a program.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(func())
	Failed() bool
}

// Patience bounds every wait, unless a test says otherwise. It is long because
// a machine that does other work too must not fail a test.
const Patience = 20 * time.Second

// pause is how often a condition is looked at.
const pause = 25 * time.Millisecond

// Until looks at a condition again and again, and fails the test if it does not
// hold before patience ends. what completes "gave up waiting for".
func Until(t T, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	if !until(context.Background(), patience, holds) {
		t.Fatalf("gave up waiting for %s after %v", what, patience)
	}
}

func until(ctx context.Context, patience time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(pause)
	defer look.Stop()
	for {
		if holds() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
}
