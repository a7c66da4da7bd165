package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often a file is looked at for a newer certificate.
const certificateCheck = 10 * time.Second

// certificate is a key pair that is read again when its file changes.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	pair    *tls.Certificate
	written time.Time // when certFile was, at the last reading
	checked time.Time
}

func newCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("server: certificate: %w", err)
	}
	return c, nil
}

// get serves crypto/tls. A renewal that is half written keeps the old pair in
// use until both files fit.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= certificateCheck {
		c.checked = now
		if info, err := os.Stat(c.certFile); err == nil && !info.ModTime().Equal(c.written) {
			_ = c.read()
		}
	}
	return c.pair, nil
}

func (c *certificate) read() error {
	info, err := os.Stat(c.certFile)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.written = &pair, info.ModTime()
	return nil
}
