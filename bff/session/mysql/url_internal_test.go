package mysql

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"cloakroom/bff/secret"
)

func TestAForeignHostIsVerifiedUnlessTheURLSaysOtherwise(t *testing.T) {
	for _, c := range []struct {
		name, url        string
		verified, warned bool
	}{
		{"another host", "mysql://app:p@db.example/app", true, false},
		{"another host, in the driver's form", "app:p@tcp(db.example)/app", true, false},
		{"another host, tls=true", "mysql://app:p@db.example/app?tls=true", true, false},
		{"another host, tls=false", "mysql://app:p@db.example/app?tls=false", false, true},
		{"another host, tls=skip-verify", "mysql://app:p@db.example/app?tls=skip-verify", false, true},
		{"another host, tls=preferred", "mysql://app:p@db.example/app?tls=preferred", false, true},
		{"this host", "mysql://app:p@localhost/app", false, false},
		{"this host by its address", "mysql://app:p@[::1]:3306/app", false, false},
		{"a socket", "app:p@unix(/run/mysqld/mysqld.sock)/app", false, false},
		{"this host, tls=true", "mysql://app:p@127.0.0.1/app?tls=true", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			config, err := parse(Config{URL: secret.New(c.url), Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if got := config.TLS != nil && !config.TLS.InsecureSkipVerify; got != c.verified {
				t.Errorf("verified: %v, want %v", got, c.verified)
			}
			if got := strings.Contains(log.String(), "not protected"); got != c.warned {
				t.Errorf("warned: %v, want %v", got, c.warned)
			}
		})
	}
}

func TestAURLIsReadWhole(t *testing.T) {
	for _, c := range []struct{ name, url, user, password, addr, database string }{
		{"a URL", "mysql://app:p%40ss%2Fw%3Frd@db:3307/house", "app", "p@ss/w?rd", "db:3307", "house"},
		{"the other scheme, without a port", "mariadb://app:p@db/house", "app", "p", "db:3306", "house"},
		{"an address of IPv6", "mysql://app:p@[2001:db8::1]:3307/house", "app", "p", "[2001:db8::1]:3307", "house"},
		{"the driver's form", "app:p@ss?w/rd@tcp(db:3307)/house", "app", "p@ss?w/rd", "db:3307", "house"},
		{"the driver's form with parameters", "app:p?x@tcp(db:3307)/house?collation=utf8mb4_bin", "app", "p?x", "db:3307", "house"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := parse(Config{URL: secret.New(c.url), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			if config.User != c.user || config.Passwd != c.password || config.Addr != c.addr || config.DBName != c.database {
				t.Errorf("read as %q, %q, %q, %q", config.User, config.Passwd, config.Addr, config.DBName)
			}
		})
	}
}
