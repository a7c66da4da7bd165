package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// renewal writes a key pair as two files, in the order a renewal may have.
type renewal struct{ cert, key []byte }

func newRenewal(t *testing.T, serial int64) renewal {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"app.localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return renewal{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

func TestACertificateReplacedOnDiskIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		writes := int64(0)
		write := func(file string, content []byte) {
			writes++ // a file system with coarse times must not make two writings one
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, time.Time{}, time.Unix(writes, 0)); err != nil {
				t.Fatal(err)
			}
		}
		first, second := newRenewal(t, 1), newRenewal(t, 2)
		write(certFile, first.cert)
		write(keyFile, first.key)
		c, err := newCertificate(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		serves := func(want int64, when string) {
			t.Helper()
			pair, err := c.get(nil)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if got := pair.Leaf.SerialNumber.Int64(); got != want {
				t.Errorf("%s: serves certificate %d, want %d", when, got, want)
			}
		}
		serves(1, "at start")

		write(certFile, second.cert)
		serves(1, "before the next look")
		time.Sleep(certificateCheck)
		serves(1, "half renewed, the key is still the old one")
		write(keyFile, second.key)
		time.Sleep(certificateCheck)
		serves(2, "renewed")

		write(certFile, []byte("garbage"))
		time.Sleep(certificateCheck)
		serves(2, "overwritten with garbage")
		if err := os.Remove(certFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(certificateCheck)
		serves(2, "gone")
		write(certFile, second.cert)
		time.Sleep(certificateCheck)
		serves(2, "back")
	})
}
