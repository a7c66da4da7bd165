package topology

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"cloakroom/bff/lab/balancer"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// Options of a World. Program is needed.
type Options struct {
	// Program is the file of the Cloakroom that is run.
	Program string
	// Instances is how many servers there are, where a topology has many; 0: 3.
	// Servers that share their memory are an odd number.
	Instances int
	// Balancer is one of lab.Balancers; "": lab.Embedded. TLS ends there, always
	// but with lab.Embedded, which is told by TLS.
	Balancer string
	TLS      bool
	// Listen is where lab.Embedded does, host:port; "": a free port of loopback.
	Listen string
	// Within is a world that the topology is to be a part of, with lab.Embedded and
	// without TLS; nil: it gets a provider and an API of its own.
	Within *Within
	// Visitors is how many accounts there are besides the demo's two people.
	Visitors int
	// AccessTokenLifetime; 0: 10 minutes.
	AccessTokenLifetime time.Duration
	// Routes are further parts of the origin, which no token is sent to.
	Routes []Route
	// Env is for the servers, besides this process' environment.
	Env []string
	// Observe hears of every request that lab.Embedded passes on. It must not
	// block; nil: nobody does.
	Observe func(balancer.Request)
	// Changed is told when State is another one. It must not block, nor call the
	// World; nil: nobody is told.
	Changed func()
	// Progress gets the logs of processes that failed; nil discards.
	Progress io.Writer
}

// Route leads what is below a path to an upstream, both ending in a slash.
type Route struct{ Path, Upstream string }

// World is a topology that runs. Its methods may be called from any goroutine.
type World struct {
	topology    lab.Topology
	options     Options
	stage       *servers.Stage
	certificate servers.Certificate
	roots       *x509.CertPool // nil: no TLS
	origin      string
	issuer      string
	apiOrigin   string
	parties     *parties
	store       *store // nil: none outside the servers
	peers       []string
	keys        []string // of the ring, the newest last
	front       front

	staging sync.Mutex // the stage takes one at a time
	doing   sync.Mutex // an event has the world to itself

	mu      sync.Mutex
	servers []*server
	turnOf  int  // whose turn it is to suffer
	full    bool // the store is
}

// Start runs a topology and returns when it serves. Close ends it, and is not
// needed after an error. What cannot be run here Missing tells before.
func Start(ctx context.Context, t lab.Topology, o Options) (*World, error) {
	o.Instances = cmp.Or(o.Instances, 3)
	o.Balancer = cmp.Or(o.Balancer, lab.Embedded)
	o.AccessTokenLifetime = cmp.Or(o.AccessTokenLifetime, 10*time.Minute)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if !t.Many {
		o.Instances = 1
	}
	o.TLS = o.TLS || o.Balancer != lab.Embedded
	switch {
	case o.Instances < 1 || o.Instances > 9:
		return nil, fmt.Errorf("topology: there can be 1 to 9 servers, not %d", o.Instances)
	case t.Kind == lab.Replicated && o.Instances%2 == 0:
		return nil, fmt.Errorf("topology: servers that share their memory are an odd number, not %d", o.Instances)
	}
	if o.Within != nil && (o.TLS || o.Balancer != lab.Embedded || o.Visitors > 0) {
		return nil, errors.New("topology: within another world there is the lab's own balancer, no TLS, and nobody's account but that world's")
	}
	if err := Missing(t, o.Balancer); err != nil {
		return nil, err
	}
	w := &World{topology: t, options: o, stage: servers.NewStage(ctx, o.Progress)}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("topology: start %s: %w", t.ID, err), w.Close())
	}
	return w, nil
}

func (w *World) open(ctx context.Context) (err error) {
	if w.options.TLS {
		if err := w.issue(); err != nil {
			return err
		}
	}
	scheme := map[bool]string{true: "https", false: "http"}[w.options.TLS]
	if w.options.Balancer == lab.Embedded {
		e, err := openEmbedded(w)
		if err != nil {
			return err
		}
		if w.front = e; w.options.Within != nil {
			w.origin = w.options.Within.Origin
		} else {
			w.origin = fmt.Sprintf("%s://localhost:%s", scheme, portOf(e.listener.Addr().String()))
		}
	} else {
		f, err := openInstalled(w, w.options.Balancer)
		if err != nil {
			return err
		}
		w.front, w.origin = f, fmt.Sprintf("https://localhost:%d", f.tlsPort)
	}
	if err := w.openParties(); err != nil {
		return err
	}
	w.addKey()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.perform(func() {
		if kind, ok := kinds[w.topology.Kind]; ok {
			w.store = kind.start(w)
		}
		if w.topology.Kind == lab.Replicated {
			for range w.options.Instances {
				w.peers = append(w.peers, servers.Address(servers.FreePort(w.stage)))
			}
		}
	}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.perform(func() {
		var all []*server
		for n := range w.options.Instances {
			i := w.prepare(n)
			w.launch(i)
			all = append(all, i)
		}
		for _, i := range all { // who shares memory waits for the others
			i.process.WaitReady()
		}
		w.mu.Lock()
		w.servers = all
		w.mu.Unlock()
		for _, i := range all {
			w.turn(i, lab.NodeUp)
		}
		w.front.open(all)
		w.learnRoles()
	})
}

// addKey makes a key, which is the first of the ring from now on.
func (w *World) addKey() {
	key := make([]byte, 32)
	rand.Read(key)
	w.keys = append(w.keys, base64.StdEncoding.EncodeToString(key))
}

// perform runs what works on the stage, whose failures it returns.
func (w *World) perform(f func()) error {
	w.staging.Lock()
	defer w.staging.Unlock()
	return w.stage.Try(f)
}

// Close ends every process, and returns what failed that nobody was told.
func (w *World) Close() error {
	var errs []error
	if w.front != nil {
		errs = append(errs, w.front.close())
	}
	w.staging.Lock()
	defer w.staging.Unlock()
	errs = append(errs, w.stage.Clear())
	if w.parties != nil {
		errs = append(errs, w.parties.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("topology: %w", err)
	}
	return nil
}

// Topology is what was started.
func (w *World) Topology() lab.Topology { return w.topology }

// Origin is where browsers reach it, Issuer where its provider is.
func (w *World) Origin() string { return w.origin }

// Issuer is the provider's origin.
func (w *World) Issuer() string { return w.issuer }

// Roots vouch for the origin's certificate; nil: there is no TLS.
func (w *World) Roots() *x509.CertPool { return w.roots }

// Spared says why an event cannot happen here; "": it can.
func (w *World) Spared(event string) string {
	if event == lab.AddApp && w.options.Balancer != lab.Embedded {
		return errFixed.Error()
	}
	return w.topology.Spared(event)
}

// State is how every process is.
func (w *World) State() lab.Deployed {
	d := lab.Deployed{Topology: w.topology.ID, Balancer: w.options.Balancer, TLS: w.options.TLS, Origin: w.origin, Issuer: w.issuer}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.servers {
		d.Nodes = append(d.Nodes, lab.Node{Kind: lab.NodeServer, Name: i.name, Address: i.address, State: i.state, Cut: i.cut})
	}
	if w.store != nil {
		for _, n := range w.store.nodes {
			d.Nodes = append(d.Nodes, n.Node)
		}
	}
	for _, p := range []struct {
		kind lab.NodeKind
		*party
	}{{lab.NodeProvider, w.parties.provider}, {lab.NodeAPI, w.parties.api}} {
		state := lab.NodeDown
		if p.isUp() {
			state = lab.NodeUp
		}
		d.Nodes = append(d.Nodes, lab.Node{Kind: p.kind, Name: string(p.kind), Address: p.address, State: state})
	}
	return d
}

// Held is what a store that is not a server's memory says that it has: bytes, how many sessions, and
// how it was found. ok is false if nobody can say.
func (w *World) Held(ctx context.Context) (bytes, sessions int64, from string, ok bool, err error) {
	if w.topology.Kind == lab.InFile {
		bytes, sessions, err = weighFile(filepath.Join(w.list()[0].dir, sessionFile))
		return bytes, sessions, "the keys and values in the file", true, err
	}
	if w.store == nil || w.store.held == nil {
		return 0, 0, "", false, nil
	}
	// Some of those who can say end the stage when they cannot.
	failed := w.perform(func() { bytes, sessions, err = w.store.held(ctx) })
	return bytes, sessions, w.store.from, true, errors.Join(err, failed)
}

// turn notes how a server is.
func (w *World) turn(i *server, s lab.NodeState) {
	w.mu.Lock()
	i.state = s
	w.mu.Unlock()
	w.changed()
}

func (w *World) turnNode(n *storeNode, s lab.NodeState) {
	w.mu.Lock()
	n.State = s
	w.mu.Unlock()
	w.changed()
}

func (w *World) changed() {
	if w.options.Changed != nil {
		w.options.Changed()
	}
}
