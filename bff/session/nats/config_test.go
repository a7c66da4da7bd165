package nats_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"cloakroom/bff/secret"
	"cloakroom/bff/session/nats"
)

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func TestConfig(t *testing.T) {
	const password = "hunter2-hunter2"
	long := secret.New(clusterSecret)
	for _, test := range []struct {
		name string
		nats.Config
		ok bool
	}{
		{"a URL", nats.Config{URL: secret.New("nats://u:" + password + "@a,b:4222?bucket=x&domain=hub")}, true},
		{"a token", nats.Config{URL: secret.New("tls://" + password + "@a")}, true},
		{"an embedded server alone", nats.Config{Cluster: nats.Cluster{Listen: ":6222"}}, true},
		{"three embedded servers", nats.Config{Cluster: nats.Cluster{Listen: ":6222", Peers: []string{"a:6222", "b:6222", "c:6222"}, Secret: long}}, true},
		{"neither", nats.Config{}, false},
		{"both", nats.Config{URL: secret.New("nats://a"), Cluster: nats.Cluster{Listen: ":6222"}}, false},
		{"another scheme", nats.Config{URL: secret.New("http://u:" + password + "@a")}, false},
		{"no host", nats.Config{URL: secret.New("nats://u:" + password + "@")}, false},
		{"an empty host", nats.Config{URL: secret.New("nats://u:" + password + "@a,,b")}, false},
		{"a path", nats.Config{URL: secret.New("nats://u:" + password + "@a/b")}, false},
		{"a bad port", nats.Config{URL: secret.New("nats://u:" + password + "@a:x")}, false},
		{"a bad escape", nats.Config{URL: secret.New("nats://u:" + password + "%zz@a")}, false},
		{"an unknown parameter", nats.Config{URL: secret.New("nats://u:" + password + "@a?buckets=x")}, false},
		{"a bucket with a dot", nats.Config{URL: secret.New("nats://u:" + password + "@a?bucket=x.y")}, false},
		{"a parameter twice", nats.Config{URL: secret.New("nats://u:" + password + "@a?bucket=x&bucket=y")}, false},
		{"a certificate without its key", nats.Config{URL: secret.New("nats://u:" + password + "@a?cert_file=x")}, false},
		{"peers without a secret", nats.Config{Cluster: nats.Cluster{Listen: ":6222", Peers: []string{"a:6222", "b:6222"}}}, false},
		{"peers with a short secret", nats.Config{Cluster: nats.Cluster{Listen: ":6222", Peers: []string{"a:6222"}, Secret: secret.New("short")}}, false},
		{"a peer without a port", nats.Config{Cluster: nats.Cluster{Listen: ":6222", Peers: []string{"a"}, Secret: long}}, false},
		{"a peer that is everywhere", nats.Config{Cluster: nats.Cluster{Listen: ":6222", Peers: []string{":6222"}, Secret: long}}, false},
		{"a peer twice", nats.Config{Cluster: nats.Cluster{Listen: ":6222", Peers: []string{"a:6222", "a:6222"}, Secret: long}}, false},
		{"a random port", nats.Config{Cluster: nats.Cluster{Listen: ":0"}}, false},
		{"half of TLS", nats.Config{Cluster: nats.Cluster{Listen: ":6222", CertFile: "x"}}, false},
		{"a name with a space", nats.Config{Cluster: nats.Cluster{Listen: ":6222", Name: "a b"}}, false},
		{"too many replicas", nats.Config{URL: secret.New("nats://a"), Replicas: 6}, false},
		{"a negative timeout", nats.Config{URL: secret.New("nats://a"), Timeout: -1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := nats.New(test.Config)
			if (err == nil) != test.ok {
				t.Errorf("New = %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
			if err == nil {
				_ = s.Close()
			}
		})
	}
}
