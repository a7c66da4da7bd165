package topology

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloakroom/bff/deploy"
	"cloakroom/bff/lab/balancer"
	"cloakroom/bff/servers"
)

// front is the balancer as the world needs it.
type front interface {
	// place is where the n-th server listens, and where it tells of its health.
	place(n int) (address, admin string)
	// drain is a server's drain_delay: longer than the balancer takes to notice.
	drain() time.Duration
	// open starts it, in perform.
	open(all []*server)
	// add takes one more server in.
	add(i *server) error
	// await returns when a server that is ready again gets requests, in perform.
	await(i *server)
	close() error
}

// embedded is the lab's own balancer, in this process.
type embedded struct {
	world    *World
	balancer *balancer.Balancer
	listener net.Listener // nil: somebody else listens
	stop     context.CancelFunc
	ended    chan error
}

// checkEvery is how often the lab's own balancer asks the servers how they are.
const checkEvery = 250 * time.Millisecond

// openEmbedded listens, so that the origin is known, and answers from open on.
func openEmbedded(w *World) (*embedded, error) {
	b, err := balancer.New(balancer.Config{
		Policy: w.topology.Balance, Check: checkEvery, Observe: w.options.Observe,
		Changed: func(balancer.Status) { w.changed() },
	})
	if err != nil {
		return nil, err
	}
	e := &embedded{world: w, balancer: b}
	if w.options.Within == nil {
		e.listener, err = net.Listen("tcp", cmp.Or(w.options.Listen, "127.0.0.1:0"))
	}
	return e, err
}

func (e *embedded) place(int) (address, admin string) {
	return servers.Address(servers.FreePort(e.world.stage)), servers.Address(servers.FreePort(e.world.stage))
}

func (e *embedded) drain() time.Duration { return 4 * checkEvery }

func (e *embedded) open(all []*server) {
	for _, i := range all {
		e.world.stage.Must(e.add(i))
	}
	var certificates *tls.Config
	if e.world.options.TLS {
		pair, err := tls.LoadX509KeyPair(e.world.certificate.Cert, e.world.certificate.Key)
		e.world.stage.Must(err)
		certificates = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop, e.ended = stop, make(chan error, 1)
	go func() {
		if e.listener == nil {
			e.balancer.Run(ctx)
			e.ended <- nil
			return
		}
		e.ended <- e.balancer.Serve(ctx, e.listener, certificates)
	}()
}

func (e *embedded) add(i *server) error {
	return e.balancer.Add(balancer.Instance{Name: i.name, Address: i.address, Admin: i.admin})
}

func (e *embedded) await(i *server) {
	servers.WaitFor(e.world.stage, "the balancer to have "+i.name+" back", func(context.Context) error {
		for _, s := range e.balancer.Instances() {
			if s.Name == i.name && s.State != balancer.Up {
				return fmt.Errorf("it is %s: %s", s.State, s.Why)
			}
		}
		return nil
	})
}

func (e *embedded) close() error {
	switch {
	case e.stop == nil && e.listener == nil:
		return nil
	case e.stop == nil:
		return e.listener.Close()
	}
	e.stop()
	return <-e.ended
}

// installed is one of the balancers that people deploy, with its file of
// bff/deploy.
type installed struct {
	world *World
	name  string
	// Two servers share their ports, as on two machines.
	net               [2]int // second and third part of their addresses
	port, admin       int
	httpPort, tlsPort int
}

func openInstalled(w *World, name string) (*installed, error) {
	f := &installed{world: w, name: name, net: [2]int{10 + rand.IntN(200), rand.IntN(256)}}
	err := w.perform(func() {
		for _, port := range []*int{&f.port, &f.admin, &f.httpPort, &f.tlsPort} {
			*port = servers.FreePort(w.stage)
		}
	})
	return f, err
}

func (f *installed) host(n int) string { return fmt.Sprintf("127.%d.%d.%d", f.net[0], f.net[1], 2+n) }

func (f *installed) place(n int) (address, admin string) {
	return fmt.Sprintf("%s:%d", f.host(n), f.port), fmt.Sprintf("%s:%d", f.host(n), f.admin)
}

// drain: HAProxy and Caddy ask each second, and Nginx never.
func (f *installed) drain() time.Duration {
	if f.name == "nginx" {
		return time.Second
	}
	return 4 * time.Second
}

var files = map[string]string{"haproxy": "haproxy/haproxy.cfg", "nginx": "nginx/cloakroom.conf.template", "caddy": "caddy/Caddyfile"}

func (f *installed) open(all []*server) {
	stage := f.world.stage
	text, err := deploy.Files.ReadFile(files[f.name])
	stage.Must(err)
	file := filepath.Join(servers.Dir(stage, nil), filepath.Base(files[f.name]))
	stage.Must(os.WriteFile(file, []byte(forServers(string(text), len(all))), 0o600))
	env := []string{
		"PUBLIC_HOST=localhost", "LISTEN_ADDRESS=127.0.0.1", fmt.Sprintf("HTTP_PORT=%d", f.httpPort), fmt.Sprintf("HTTPS_PORT=%d", f.tlsPort),
		"TLS_CERT=" + f.world.certificate.Cert, "TLS_KEY=" + f.world.certificate.Key,
		fmt.Sprintf("INSTANCE_PORT=%d", f.port), fmt.Sprintf("INSTANCE_ADMIN_PORT=%d", f.admin), "BALANCE=" + string(f.world.topology.Balance),
	}
	for n := range all {
		env = append(env, fmt.Sprintf("INSTANCE_%c=%s", 'A'+n, f.host(n)))
	}
	run := map[string]func(servers.T, string, []string, string) *servers.Process{"haproxy": servers.HAProxy, "nginx": servers.Nginx, "caddy": servers.Caddy}
	run[f.name](stage, file, env, servers.Address(f.tlsPort))
}

// forServers is a file with "one line for each instance", as its comment has it:
// as it is for two, and with the line of the second left out, or written again,
// for another number.
func forServers(text string, n int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "INSTANCE_B") {
			out.WriteString(line)
			continue
		}
		for i := 1; i < n; i++ {
			upper, lower := string(rune('A'+i)), serverName(i)
			out.WriteString(strings.NewReplacer("INSTANCE_B", "INSTANCE_"+upper, "server b ", "server "+lower+" ", "cookie b", "cookie "+lower).Replace(line))
		}
	}
	return out.String()
}

var errFixed = errors.New("the balancer's file names its servers")

func (f *installed) add(*server) error { return errFixed }

// await: HAProxy and Caddy need two good answers, and Nginx leaves alone for 5 s
// whom it could not reach. None of them tells by a means that its file has.
func (f *installed) await(*server) {
	time.Sleep(map[string]time.Duration{"nginx": 5500 * time.Millisecond}[f.name] + 3*time.Second)
}

func (f *installed) close() error { return nil } // its process ends with the stage

// issue makes the certificate that TLS ends with.
func (w *World) issue() error {
	return w.perform(func() {
		w.certificate = servers.NewCertificate(w.stage, servers.Dir(w.stage, nil))
		key, err := os.ReadFile(w.certificate.Key)
		w.stage.Must(err)
		w.stage.Must(os.WriteFile(w.certificate.Cert+".key", key, 0o600)) // where HAProxy looks for it
		ca, err := os.ReadFile(w.certificate.CA)
		w.stage.Must(err)
		w.roots = x509.NewCertPool()
		if !w.roots.AppendCertsFromPEM(ca) {
			w.stage.Fatal("the authority's certificate cannot be read")
		}
	})
}
