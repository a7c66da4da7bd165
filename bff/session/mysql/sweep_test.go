package mysql_test

import (
	"database/sql"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/storetest"
)

func TestTheExpiredAreSweptOut(t *testing.T) {
	t.Parallel()
	w := start(t)
	storetest.RunSweep(t, w.place)
}

// TestASweepHoldsNobodyUp: its locks must not reach beyond the records it
// deletes, or sign-ins would wait for it. A sweep that is held up half-way
// stands for one that takes its time.
func TestASweepHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := start(t)
	name, dsn := w.database(t)
	s := open(t, dsn, func(c *mysql.Config) { c.Timeout = 10 * time.Second })
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.placeAt(t, name, dsn).Fill(20)
	lock, err := w.connect(t, name).BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(t.Context(), "SELECT id FROM cloakroom_sessions ORDER BY id DESC LIMIT 3 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	swept := make(chan error)
	go func() {
		_, err := s.Sweep(t.Context())
		swept <- err
	}()
	servers.WaitFor(t, "the sweep to wait", w.runs(t, "DELETE FROM cloakroom_sessions WHERE expires%"))
	for range 20 { // their IDs fall between those that are deleted
		r := create(t, s, record())
		if _, err := s.Update(t.Context(), r); err != nil {
			t.Errorf("Update = %v", err)
		}
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-swept; err != nil {
		t.Errorf("Sweep = %v", err)
	}
}
