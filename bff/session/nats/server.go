package nats

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// embeddedServer is a server that runs, and how to sign in.
type embeddedServer struct {
	*server.Server
	user, password string
}

const (
	clusterName = "cloakroom"
	// storeMargin is what the server may use beside the bucket.
	storeMargin = 64 << 20
	startWithin = 10 * time.Second
	lookEvery   = 250 * time.Millisecond
)

// Run runs the embedded server until ctx ends, and makes the bucket as soon as
// enough servers have met. With a URL there is nothing to run.
func (s *Store) Run(ctx context.Context) error {
	if !s.config.URL.Empty() {
		<-ctx.Done()
		return ctx.Err()
	}
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("nats: run: it runs already")
	}
	defer s.running.Store(false)
	if err := s.serve(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("nats: run: %w", err)
	}
	return ctx.Err()
}

func (s *Store) serve(ctx context.Context) error {
	options, err := s.serverOptions()
	if err != nil {
		return err
	}
	if options.StoreDir == "" {
		// Who belongs to the cluster is kept in files in any case; no session is.
		if options.StoreDir, err = os.MkdirTemp("", "cloakroom-nats-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(options.StoreDir) }()
	}
	embedded, err := server.NewServer(options)
	if err != nil {
		return err
	}
	log := newServerLog(s.config.Log, options.Cluster.Password, options.Password)
	embedded.SetLoggerV2(log, false, false, false)
	embedded.Start()
	defer func() {
		s.embedded.Store(nil)
		s.link.cut()
		embedded.Shutdown() // hands over what this server led
		embedded.WaitForShutdown()
	}()
	started := make(chan bool, 1)
	go func() { started <- embedded.ReadyForConnections(startWithin) }()
	select {
	case <-log.failed:
		return log.failure()
	case ok := <-started:
		if !ok {
			return errors.New("the server does not start")
		}
	}
	s.embedded.Store(&embeddedServer{embedded, options.Username, options.Password})
	return s.look(ctx, log)
}

// look opens the bucket as soon as possible, and then waits for the end.
func (s *Store) look(ctx context.Context, log *serverLog) error {
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	tick := again.C
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-log.failed:
			return log.failure()
		case <-tick:
			if _, err := s.link.get(ctx); err == nil {
				s.config.Log.Info("the session cluster is ready")
				tick = nil
			}
		}
	}
}

func (s *Store) serverOptions() (*server.Options, error) {
	c := &s.config.Cluster
	bucket := s.bucketConfig()
	options := &server.Options{
		ServerName: c.Name, NoSigs: true, DisableJetStreamBanner: true,
		DontListen: true, // the only client is in this process
		JetStream:  true, StoreDir: c.StoreDir,
		JetStreamMaxMemory: storeMargin, JetStreamMaxStore: storeMargin,
	}
	if s.target.memory {
		options.JetStreamMaxMemory += bucket.MaxBytes
	} else {
		options.JetStreamMaxStore += bucket.MaxBytes
	}
	if c.alone() {
		return options, nil
	}
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	// A server that does not listen for clients does not listen for servers
	// either. So it does, where nobody else comes by, and asks for a password
	// that nobody else has.
	options.DontListen, options.Host, options.Port = false, "127.0.0.1", server.RANDOM_PORT
	options.Username, options.Password = clusterName, rand.Text()
	options.Cluster = server.ClusterOpts{
		Name: clusterName, Host: host, Port: number, NoAdvertise: true,
		Username: clusterName, Password: c.password(),
	}
	if c.CertFile != "" {
		if options.Cluster.TLSConfig, err = c.tls(); err != nil {
			return nil, err
		}
		options.Cluster.TLSTimeout = startWithin.Seconds()
	}
	for _, peer := range c.Peers {
		options.Routes = append(options.Routes, &url.URL{
			Scheme: "nats", Host: peer, User: url.UserPassword(clusterName, options.Cluster.Password),
		})
	}
	return options, nil
}

// password is made of the secret: of one length, with no character that means
// something in a URL, and no prefix that the server takes for a hash.
func (c *Cluster) password() string {
	sum := sha256.Sum256([]byte("cloakroom cluster\x00" + c.Secret.Reveal()))
	return hex.EncodeToString(sum[:])
}

// tls is for both sides of the way between two servers.
func (c *Cluster) tls() (*tls.Config, error) {
	authority, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("the authority's file has no certificate")
	}
	load := func() (*tls.Certificate, error) {
		certificate, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		return &certificate, err
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() },
	}, nil
}
