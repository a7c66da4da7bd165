package sqlite_test

import (
	"context"
	"testing"
	"time"

	"cloakroom/bff/session/sqlite"
	"cloakroom/bff/session/storetest"
)

func TestTheExpiredAreSweptOut(t *testing.T) {
	t.Parallel()
	storetest.RunSweep(t, func(t *testing.T) storetest.Place {
		file := path(t)
		db := other(t, file)
		exec := func(statement string, arguments ...any) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement, arguments...); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		return storetest.Place{
			Open: func(o storetest.Options) storetest.Sweeping {
				return open(t, sqlite.Config{Path: file, SweepEvery: o.SweepEvery, Log: o.Log})
			},
			Count: func(ctx context.Context) (n int, err error) {
				err = db.QueryRowContext(ctx, "SELECT count(*) FROM cloakroom_sessions").Scan(&n)
				return n, err
			},
			Fill: func(n int) {
				exec(`INSERT INTO cloakroom_sessions (id, version, expires, data)
					WITH RECURSIVE seq (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM seq WHERE i < ?)
					SELECT randomblob(32), 1, (unixepoch() + iif(i = 0, 3600, -3600)) * 1000, x'' FROM seq`, n)
			},
			SweptAgo: func(d time.Duration) { exec("UPDATE cloakroom_schema SET swept = swept - ?", d.Milliseconds()) },
		}
	})
}
