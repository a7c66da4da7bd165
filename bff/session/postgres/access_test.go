package postgres_test

import (
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/storetest"
)

// TestTheDailyUserNeedsLittle: one user makes the tables, another works with
// them and may do nothing else.
func TestTheDailyUserNeedsLittle(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.admin(t, "CREATE USER owner PASSWORD 'owner'", "CREATE USER app PASSWORD 'app'",
		"CREATE SCHEMA house AUTHORIZATION owner", "GRANT USAGE ON SCHEMA house TO app")
	query := url.Values{"search_path": {"house"}, "sslmode": {"disable"}}
	app := open(t, w.URL("app", "app", "postgres", query))

	err := app.Ping(t.Context())
	told.WantFailure(t, "Ping without tables", err, session.Record{})
	if !strings.Contains(err.Error(), "may not make them") {
		t.Errorf("Ping = %v, want it to say what to do", err)
	}
	create(t, open(t, w.URL("owner", "owner", "postgres", query)), record())
	err = app.Ping(t.Context())
	told.WantFailure(t, "Ping without privileges", err, session.Record{})
	w.admin(t, "GRANT SELECT, UPDATE ON house.cloakroom_schema TO app", "GRANT SELECT, INSERT, UPDATE ON house.cloakroom_sessions TO app")
	err = app.Ping(t.Context())
	told.WantFailure(t, "Ping without DELETE", err, session.Record{})
	if !strings.Contains(err.Error(), "lacks DELETE") {
		t.Errorf("Ping = %v, want it to name DELETE", err)
	}

	w.admin(t, "GRANT DELETE ON house.cloakroom_sessions TO app")
	if err := app.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
	storetest.Works(t, app)
	if _, err := app.Sweep(t.Context()); err != nil {
		t.Errorf("Sweep = %v", err)
	}
}

func TestTLSKnowsItsServer(t *testing.T) {
	t.Parallel()
	w := start(t, "listen_addresses=127.0.0.1,127.0.0.2")
	w.admin(t, "CREATE SCHEMA house")
	other := servers.NewCertificate(t, t.TempDir())
	for _, c := range []struct {
		name, host, ca string
		works          bool
	}{
		{"the authority that signed", "127.0.0.1", w.CA, true},
		{"its name instead of its address", "localhost", w.CA, true},
		{"another authority", "127.0.0.1", other.CA, false},
		{"the system's authorities", "127.0.0.1", "", false},
		{"an address that is not in the certificate", "127.0.0.2", w.CA, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			query := url.Values{"search_path": {"house"}, "sslmode": {"verify-full"}}
			if c.ca != "" {
				query.Set("sslrootcert", c.ca)
			}
			dsn := strings.Replace(w.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", query), "127.0.0.1", c.host, 1)
			s := open(t, dsn, func(c *postgres.Config) { c.MaxConns = 1 })
			r := record()
			_, err := s.Create(t.Context(), r)
			if !c.works {
				told.WantFailure(t, "Create", err, r)
				return
			}
			if err != nil {
				t.Fatalf("Create = %v", err)
			}
			var plain int
			err = w.connect(t, nil).QueryRow(t.Context(), `
				SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
				WHERE query LIKE '%cloakroom_sessions%' AND NOT ssl AND pid <> pg_backend_pid()`).Scan(&plain)
			if err != nil || plain != 0 {
				t.Errorf("%d connections without TLS, %v", plain, err)
			}
		})
	}
}
