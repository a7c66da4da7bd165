package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/server"
	"cloakroom/shared"
)

// keyPair is a certificate of app.localhost in two files.
type keyPair struct{ certFile, keyFile string }

// write replaces both files with a fresh pair, whose serial number is returned.
func (k keyPair) write(t testing.TB, serial int64) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "app.localhost"}, DNSNames: []string{"app.localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for file, content := range map[string][]byte{
		k.keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), k.certFile: certificate,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		// A file system with coarse times must not make two writings one.
		if err := os.Chtimes(file, time.Time{}, time.Unix(serial, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return certificate
}

func newKeyPair(t testing.TB) keyPair {
	dir := t.TempDir()
	return keyPair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

func (k keyPair) config() string {
	return fmt.Sprintf("tls: {cert_file: %q, key_file: %q}\n", k.certFile, k.keyFile)
}

// overTLS makes a visitor trust a certificate.
func overTLS(t testing.TB, v *visitor, certificate []byte, h2 bool) *http.Transport {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificate) {
		t.Fatal("not a certificate")
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	v.Transport = completeMetadata{transport}
	return transport
}

func TestTLSServesBothVersionsOfHTTP(t *testing.T) {
	pair := newKeyPair(t)
	certificate := pair.write(t, 1)
	s := open(t, "https", pair.config())
	for _, h2 := range []bool{true, false} {
		t.Run(map[bool]string{true: "HTTP/2", false: "HTTP/1.1"}[h2], func(t *testing.T) {
			v := newVisitor(t, s.origin)
			overTLS(t, v, certificate, h2)
			callback := v.begin(t)
			got := v.visit(t, callback)
			if got.StatusCode != http.StatusSeeOther || got.ProtoMajor == 2 != h2 {
				t.Fatalf("%s %d: %s", got.Proto, got.StatusCode, got.body)
			}
			for _, cookie := range got.Cookies() {
				if cookie.Name != shared.CookieName {
					continue
				}
				if !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" {
					t.Errorf("the cookie is %v", cookie)
				}
			}
			v.mustBe(t, http.StatusOK)
			s.alive(t, v)
			if got := v.visit(t, s.origin+"/"); got.Header.Get("Strict-Transport-Security") == "" {
				t.Error("no Strict-Transport-Security")
			}
		})
	}
	t.Run("and no plain text", func(t *testing.T) {
		if got := raw(t, s.addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); len(got) != 1 || got[0].status != http.StatusBadRequest {
			t.Errorf("plain text was answered %v", reads(got))
		}
	})
	t.Run("nor TLS 1.1", func(t *testing.T) {
		conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
		if err == nil {
			_ = conn.Close()
			t.Error("TLS 1.1 was spoken (RFC 8996)")
		}
	})
}

func TestABadCertificateIsFoundAtStart(t *testing.T) {
	pair := newKeyPair(t)
	pair.write(t, 1)
	c := configure(t, "https://app.localhost:1", freeAddress(t), freeAddress(t), "https://idp.example.com", newUpstream(t), pair.config())
	if err := os.WriteFile(pair.keyFile, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := server.New(c, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context(), func() { t.Error("it serves") })
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("run: %v", err)
	}
}
