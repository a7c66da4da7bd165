package redis_test

import (
	"strings"
	"testing"

	"cloakroom/bff/secret"
	"cloakroom/bff/session/redis"
)

func TestURLs(t *testing.T) {
	const problem = "" // none
	for _, row := range []struct{ name, url, want string }{
		{"one server", "redis://localhost", problem},
		{"one server with everything", "redis://user:p%40ss@localhost:6380/3?prefix=a:&wait=1", problem},
		{"an IPv6 address", "redis://[::1]:6379", problem},
		{"an IPv6 address without a port", "redis://[::1]", problem},
		{"TLS", "rediss://localhost?server_name=redis.internal", problem},
		{"Sentinels", "redis+sentinel://h1:26379,h2,h3/primary?sentinel_password=secret-word", problem},
		{"Sentinels with a database", "redis+sentinel://h1/primary/2", problem},
		{"a Cluster", "redis+cluster://h1:6379,h2:6379,h3:6379", problem},
		{"a Cluster over TLS", "rediss+cluster://h1:6379,h2:6379", problem},
		{"a password only", "redis://:secret-word@localhost", problem},

		{"nothing", "", "must start with one of redis, rediss,"},
		{"another scheme", "postgres://user:secret-word@localhost", "must start with one of redis, rediss,"},
		{"no scheme", "localhost:6379", "must start with one of redis, rediss,"},
		{"no host", "redis://", "hosts must be host:port"},
		{"an empty host among others", "redis+cluster://h1,,h2", "hosts must be host:port"},
		{"a port that is none", "redis://localhost:secret-word", "hosts must be host:port"},
		{"a port out of range", "redis://localhost:65536", "hosts must be host:port"},
		{"a password that is not encoded", "redis://user:100%secret-word@localhost", "must be percent-encoded"},
		{"a password with a slash", "redis://user:secret-word/x@localhost", "hosts must be host:port"},
		{"several hosts for one server", "redis://h1,h2", "one server has one host"},
		{"a database that is no number", "redis://localhost/secret-word", "the database must be a number"},
		{"a database in a Cluster", "redis+cluster://h1/1", "a Cluster has no databases"},
		{"Sentinels without the primary's name", "redis+sentinel://h1,h2,h3", "the primary's name is missing"},
		{"an unknown parameter", "redis://localhost?wiat=1", `parameter "wiat" is unknown`},
		{"a parameter of TLS without TLS", "redis://localhost?ca_file=/x", `parameter "ca_file" is unknown`},
		{"a parameter twice", "redis://localhost?wait=1&wait=2", `parameter "wait" is unknown or there twice`},
		{"wait that is no number", "redis://localhost?wait=all", "wait must be a number of replicas, 0 to 10"},
		{"wait below zero", "redis://localhost?wait=-1", "wait must be a number of replicas"},
		{"an authority that is not there", "rediss://localhost?ca_file=/does/not/exist", "ca_file: open /does/not/exist"},
		{"an authority that is none", "rediss://localhost?ca_file=url_test.go", "ca_file: no certificate in it"},
		{"half a client certificate", "rediss://localhost?cert_file=/does/not/exist", "cert_file and key_file:"},
		{"a fragment", "redis://localhost#secret-word", "the URL is malformed"},
		{"two problems at once", "redis+sentinel://h1:0?wait=x", "hosts must be host:port"},
		{"two problems at once, the second", "redis+sentinel://h1:0?wait=x", "the primary's name is missing"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := redis.New(redis.Config{URL: secret.New(row.url)})
			if row.want == problem {
				if err != nil {
					t.Fatalf("New = %v", err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("New = %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), "secret-word") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	if _, err := redis.New(redis.Config{URL: secret.New("redis://localhost"), Timeout: -1}); err == nil {
		t.Error("a negative timeout is accepted")
	}
}
