package postgres

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
)

func TestAForeignHostIsVerifiedUnlessTheURLSaysOtherwise(t *testing.T) {
	for _, c := range []struct {
		name, url        string
		verified, warned bool
	}{
		{"another host", "postgres://app:p@db.example/app", true, false},
		{"another host, as keywords", "host=db.example user=app password=p dbname=app", true, false},
		{"two hosts, one of them here", "postgres://app:p@localhost,db.example/app", true, false},
		{"another host, verify-full", "postgres://app:p@db.example/app?sslmode=verify-full", true, false},
		{"another host, verify-ca", "postgres://app:p@db.example/app?sslmode=verify-ca", true, false},
		{"another host, require", "postgres://app:p@db.example/app?sslmode=require", false, true},
		{"another host, prefer", "postgres://app:p@db.example/app?sslmode=prefer", false, true},
		{"another host, disable", "postgres://app:p@db.example/app?sslmode=disable", false, true},
		{"this host", "postgres://app:p@localhost/app", false, false},
		{"this host by its address", "postgres://app:p@[::1]:5432/app", false, false},
		{"a socket", "host=/run/postgresql user=app", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			config, err := parse(Config{URL: secret.New(c.url), Timeout: time.Second, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if got := encrypted(config.ConnConfig.Config); got != c.verified {
				t.Errorf("verified: %v, want %v", got, c.verified)
			}
			if got := strings.Contains(log.String(), "not protected"); got != c.warned {
				t.Errorf("warned: %v, want %v", got, c.warned)
			}
		})
	}
}

func TestThePoolIsBounded(t *testing.T) {
	for _, c := range []struct {
		name, url string
		conns     int
		want      int32
	}{
		{"nobody said how far", "postgres://localhost/app", 0, defaultConns},
		{"the URL did", "postgres://localhost/app?pool_max_conns=3", 0, 3},
		{"the config did, too", "postgres://localhost/app?pool_max_conns=3", 5, 5},
		{"fewer than are to be kept ready", "postgres://localhost/app?pool_min_conns=9", 5, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := parse(Config{URL: secret.New(c.url), MaxConns: c.conns, Timeout: time.Second, Log: slog.New(slog.DiscardHandler)})
			if err != nil || config.MaxConns != c.want || config.MinConns > config.MaxConns {
				t.Errorf("%d to %d connections, %v; want at most %d", config.MinConns, config.MaxConns, err, c.want)
			}
		})
	}
}
