package topology

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// server is one "cloakroom serve".
type server struct {
	name           string
	address, admin string // host:port
	peer           string // where the others reach it, if they share their memory
	dir, file      string // of its own, and the config there
	relay          *relay // to the store; nil: there is none to stand between
	process        *servers.Process
	cut            bool
	state          lab.NodeState
}

// serverConfig is what a deployment would write into its file.
var serverConfig = template.Must(template.New("cloakroom.yaml").Parse(`public_url: {{.Origin}}
listen: {{.Listen}}
admin_listen: {{.Admin}}
trusted_proxies: [127.0.0.1/32]
drain_delay: {{.Drain}}
provider: {issuer: "{{.Issuer}}", client_id: {{.Client}}, client_secret: "{{.Secret}}", scopes: {{.Scopes}}}
{{.Session}}api:
  - {path: /api/, upstream: "{{.API}}"}
{{range .Routes}}  - {path: "{{.Path}}", upstream: "{{.Upstream}}", auth: none}
{{end}}`))

// configure writes a server's config, with the ring of the moment.
func (w *World) configure(i *server) error {
	var text bytes.Buffer
	if err := serverConfig.Execute(&text, map[string]any{
		"Origin": w.origin, "Listen": i.address, "Admin": i.admin, "Drain": w.front.drain(), "Issuer": w.issuer, "Client": w.parties.client,
		"Secret": w.parties.secret.Reveal(), "Scopes": scopes, "API": w.upstream(i), "Routes": w.options.Routes,
		"Session": w.section(i, w.ring()),
	}); err != nil {
		return err
	}
	// At once: a server that reads it meanwhile sees the one or the other.
	if err := os.WriteFile(i.file+".new", text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(i.file+".new", i.file)
}

// upstream is the API as a server is told of it. The world's own tells the
// servers apart by the path.
func (w *World) upstream(i *server) string {
	if w.options.Within != nil {
		return w.apiOrigin + "/"
	}
	return w.apiOrigin + "/" + i.name + "/"
}

// ring is the keys as a config has them, the newest first.
func (w *World) ring() string {
	var keys []string
	for n, key := range slices.Backward(w.keys) {
		keys = append(keys, fmt.Sprintf("{id: %s, secret: %s}", keyID(n), key))
	}
	return "[" + strings.Join(keys, ", ") + "]"
}

func keyID(n int) string { return fmt.Sprintf("k-%d", n+1) }

// prepare makes the n-th server, which does not run yet. It is called in
// perform.
func (w *World) prepare(n int) *server {
	i := &server{name: serverName(n), dir: servers.Dir(w.stage, nil), state: lab.NodeDown}
	i.file = filepath.Join(i.dir, "cloakroom.yaml")
	i.address, i.admin = w.front.place(n)
	if w.topology.Kind == lab.Replicated {
		i.peer = w.peers[n]
	}
	if w.store != nil && w.store.target != "" {
		var err error
		i.relay, err = openRelay(servers.Address(servers.FreePort(w.stage)), w.store.target)
		w.stage.Must(err)
		w.stage.Cleanup(i.relay.close)
	}
	w.stage.Must(w.configure(i))
	return i
}

// serverName is "a" for the first.
func serverName(n int) string { return string(rune('a' + n)) }

// launch starts a server without waiting for it. It is called in perform.
func (w *World) launch(i *server) {
	w.turn(i, lab.NodeStarting)
	i.process = servers.Launch(w.stage, servers.Command{
		Program: w.options.Program, Args: []string{"serve", "--config", i.file}, Dir: i.dir,
		Env:   append(outside(os.Environ()), w.options.Env...),
		Ready: func(ctx context.Context) error { return w.ready(ctx, i) },
	})
}

// restart starts a server that ended, and returns when it is ready and the
// balancer has it back. It is called in perform.
func (w *World) restart(i *server) {
	w.turn(i, lab.NodeStarting)
	i.process.Restart()
	w.turn(i, lab.NodeUp)
	if !w.blind(i) {
		w.front.await(i)
	}
}

// outside is an environment without what configures another Cloakroom.
func outside(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(line string) bool { return strings.HasPrefix(line, "CLOAKROOM_") })
}

// probes keep no connection, so that a server that is killed leaves none.
var probes = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ready returns nil when a server can serve, and has found the provider if that is
// there; and when it lives, where that is all that can be.
func (w *World) ready(ctx context.Context, i *server) error {
	if w.blind(i) {
		_, err := get(ctx, "http://"+i.admin+"/healthz")
		return err
	}
	body, err := get(ctx, "http://"+i.admin+"/readyz")
	if err == nil && w.parties.provider.isUp() && !bytes.Contains(body, []byte(`"status":"ready"`)) {
		err = errors.New("it has not found the provider yet")
	}
	return err
}

// blind reports whether a server cannot be ready, since it has no store, or a
// part of it is away, of which it may be the one.
func (w *World) blind(i *server) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i.cut {
		return true
	}
	if w.store != nil {
		for _, n := range w.store.nodes {
			if n.State != lab.NodeUp {
				return true
			}
		}
	}
	if w.topology.Kind != lab.Replicated {
		return false
	}
	for _, other := range w.servers { // most of them are the store
		if other != i && other.state == lab.NodeDown {
			return true
		}
	}
	return false
}

func get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := probes.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d: %s", response.StatusCode, body)
	}
	return body, err
}
