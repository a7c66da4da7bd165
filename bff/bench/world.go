package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// world is what is around the fronts.
type world struct {
	ctx       context.Context
	progress  io.Writer
	cloakroom string // the program
	upstream  *upstream
	provider  *provider
	issuer    string // the provider's, as fronts are told
	person    *person
	logs      string         // folder
	ports     map[string]int // by front
}

// tokenLife outlasts any run.
const tokenLife = 8 * time.Hour

// openWorld draws a port for each name, so that the provider knows where its
// users come back to.
func openWorld(ctx context.Context, progress io.Writer, cloakroom string, life time.Duration, names ...string) (w *world, err error) {
	w = &world{ctx: ctx, progress: progress, cloakroom: cloakroom, ports: map[string]int{}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.cloakroom, err = filepath.Abs(cloakroom); err != nil {
		return nil, err
	}
	if w.logs, err = os.MkdirTemp("", "cloakroom-bench-"); err != nil {
		return nil, err
	}
	if w.upstream, err = openUpstream(); err != nil {
		return nil, err
	}
	var redirects []string
	err = servers.Perform(ctx, progress, func(s *servers.Stage) {
		for _, name := range names {
			w.ports[name] = servers.FreePort(s)
			redirects = append(redirects, w.origin(name)+shared.PathCallback, w.origin(name)+oauth2ProxyCallback, w.origin(name)+apacheCallback)
		}
	})
	if err != nil {
		return nil, err
	}
	if w.provider, err = openProvider(w.upstream, redirects, life); err != nil {
		return nil, err
	}
	w.issuer = w.provider.Issuer()
	w.person, err = newPerson(strings.TrimPrefix(w.issuer, "http://"))
	return w, err
}

func (w *world) close() {
	if w.provider != nil {
		w.provider.close()
	}
	if w.upstream != nil {
		_ = w.upstream.listener.Close()
	}
	if w.logs != "" {
		_ = os.RemoveAll(w.logs)
	}
}

// addr is where a front listens, origin what a browser calls it.
func (w *world) addr(name string) string { return servers.Address(w.ports[name]) }
func (w *world) host(name string) string { return fmt.Sprintf("app.localhost:%d", w.ports[name]) }
func (w *world) origin(name string) string {
	return "http://" + w.host(name)
}

// start runs a front's server on its core, its log in a file.
func (w *world) start(s *servers.Stage, name string, c servers.Command) *servers.Process {
	log, err := os.OpenFile(filepath.Join(w.logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	s.Must(err)
	defer func() { _ = log.Close() }()
	c.Output = log
	if c.Dir == "" {
		c.Dir = servers.Dir(s, nil)
	}
	if c.Ready == nil {
		c.Ready = servers.Accepts("tcp", w.addr(name))
	}
	c.Program = servers.Program(s, c.Program, c.Package)
	return servers.Start(s, onFrontCore(c))
}

// log is the end of what a front has printed, or of those of its lines that have a
// text.
func (w *world) log(name string, having ...string) string {
	text, err := os.ReadFile(filepath.Join(w.logs, name+".log"))
	if err != nil {
		return ""
	}
	if len(having) > 0 {
		var found strings.Builder
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, having[0]) {
				found.WriteString(line)
			}
		}
		text = []byte(found.String())
	}
	return string(text[max(0, len(text)-3000):])
}
