package mysql_test

import (
	"strings"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/storetest"
)

// TestTheDailyUserNeedsLittle: one user makes the tables, another works with
// them and may do nothing else.
func TestTheDailyUserNeedsLittle(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.admin(t, "CREATE DATABASE house", "GRANT ALL ON house.* TO owner IDENTIFIED BY 'owner'",
		"CREATE USER app IDENTIFIED BY 'app'", "GRANT SELECT ON house.* TO app")
	app := open(t, w.DSN("app", "app", "house", ""))

	err := app.Ping(t.Context())
	told.WantFailure(t, "Ping without tables", err, session.Record{})
	if !strings.Contains(err.Error(), "may not make them") {
		t.Errorf("Ping = %v, want it to say what to do", err)
	}
	create(t, open(t, w.DSN("owner", "owner", "house", "")), record())
	w.admin(t, "REVOKE SELECT ON house.* FROM app", "GRANT SELECT, INSERT, UPDATE ON house.cloakroom_sessions TO app")
	again := open(t, w.DSN("app", "app", "house", ""))
	err = again.Ping(t.Context())
	told.WantFailure(t, "Ping without cloakroom_schema", err, session.Record{})
	if !strings.Contains(err.Error(), "may not read it") {
		t.Errorf("Ping = %v, want it to say what to do", err)
	}
	w.admin(t, "GRANT SELECT, UPDATE ON house.cloakroom_schema TO app")
	err = again.Ping(t.Context())
	told.WantFailure(t, "Ping without DELETE", err, session.Record{})
	if !strings.Contains(err.Error(), "DELETE") {
		t.Errorf("Ping = %v, want it to name DELETE", err)
	}

	w.admin(t, "GRANT DELETE ON house.cloakroom_sessions TO app")
	for _, app := range []*mysql.Store{app, again} { // neither needs a restart
		if err := app.Ping(t.Context()); err != nil {
			t.Errorf("Ping = %v", err)
		}
		storetest.Works(t, app)
		if _, err := app.Sweep(t.Context()); err != nil {
			t.Errorf("Sweep = %v", err)
		}
	}
}

func TestTLSKnowsItsServer(t *testing.T) {
	t.Parallel()
	w := start(t, "--bind-address=127.0.0.1,127.0.0.2")
	w.admin(t, "CREATE DATABASE house",
		"CREATE USER app IDENTIFIED BY 'hush-hush' REQUIRE SSL", "GRANT ALL ON house.* TO app",
		"CREATE USER ours IDENTIFIED BY 'hush-hush' REQUIRE X509", "GRANT ALL ON house.* TO ours")
	other := servers.NewCertificate(t, t.TempDir())
	hush := storetest.Telltale{Prefix: told.Prefix, Secrets: []string{"hush-hush"}}
	for _, c := range []struct {
		name, user, host, parameters string
		works                        bool
	}{
		{"the authority that signed", "app", "127.0.0.1", "ssl-ca=" + w.CA, true},
		{"the authority that signed, and tls said as well", "app", "127.0.0.1", "tls=true&ssl-ca=" + w.CA, true},
		{"its name instead of its address", "app", "localhost", "ssl-ca=" + w.CA, true},
		{"a certificate of our own", "ours", "127.0.0.1", "ssl-ca=" + w.CA + "&ssl-cert=" + w.Cert + "&ssl-key=" + w.Key, true},
		{"no certificate of our own where one is asked for", "ours", "127.0.0.1", "ssl-ca=" + w.CA, false},
		{"another authority", "app", "127.0.0.1", "ssl-ca=" + other.CA, false},
		{"the system's authorities", "app", "127.0.0.1", "tls=true", false},
		{"an address that is not in the certificate", "app", "127.0.0.2", "ssl-ca=" + w.CA, false},
		{"no TLS where it is asked for", "app", "127.0.0.1", "", false},
	} {
		for form, dsn := range map[string]string{
			"driver's form": w.DSN(c.user, "hush-hush", "house", c.parameters),
			"URL":           "mysql://" + c.user + ":hush%2Dhush@" + servers.Address(w.Port) + "/house?" + c.parameters,
		} {
			t.Run(c.name+", "+form, func(t *testing.T) {
				s := open(t, strings.Replace(dsn, "127.0.0.1", c.host, 1))
				r := record()
				_, err := s.Create(t.Context(), r)
				if !c.works {
					hush.WantFailure(t, "Create", err, r)
				} else if err != nil {
					t.Errorf("Create = %v", err)
				}
			})
		}
	}
}
