package postgres_test

import (
	"testing"

	"cloakroom/bff/session/storetest"
)

func TestTheExpiredAreSweptOut(t *testing.T) {
	t.Parallel()
	storetest.RunSweep(t, start(t).place)
}

func TestASweepWaitsForNobody(t *testing.T) {
	t.Parallel()
	w := start(t)
	dsn := w.schema(t)
	s := open(t, dsn)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.placeAt(t, dsn).Fill(20)
	lock, err := w.connect(t, searchPath(t, dsn)).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "SELECT FROM cloakroom_sessions WHERE expires < now() LIMIT 3 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context()); n != 17 || err != nil {
		t.Errorf("Sweep = %d, %v; want the 17 that nobody holds", n, err)
	}
}
