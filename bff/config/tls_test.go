package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/config"
)

// certificatePair writes a self-signed certificate and its key.
func certificatePair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}

func TestCertificates(t *testing.T) {
	cert, key := certificatePair(t)
	_, otherKey := certificatePair(t)
	for _, row := range []struct{ name, cert, key, want string }{
		{"a pair", cert, key, ""},
		{"a key of another certificate", cert, otherKey, "tls.cert_file: is no certificate in PEM that fits key_file"},
		{"a certificate that is not there", cert + ".none", key, "tls.cert_file: cannot be read: no such file or directory"},
		{"a key that is not there", cert, key + ".none", "tls.key_file: cannot be read: no such file or directory"},
		{"files swapped", key, cert, "tls.cert_file: is no certificate in PEM that fits key_file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := strings.Replace(good, "log:", "tls: {cert_file: '"+row.cert+"', key_file: '"+row.key+"'}\nlog:", 1)
			c, err := config.Parse(file, []byte(text), nil)
			switch {
			case row.want == "" && (err != nil || !c.TLS.Enabled()):
				t.Errorf("got %v", err)
			case row.want != "" && (err == nil || err.Error() != file+":24: "+row.want):
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}
