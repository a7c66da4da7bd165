package topology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"cloakroom/bff/lab/visitor"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// SparedError is an event that cannot happen here.
type SparedError struct{ Event, Why string }

func (e *SparedError) Error() string { return fmt.Sprintf("topology: no %s: %s", e.Event, e.Why) }

// Do has an event happen, and returns when it has: what was killed is down, what
// restarts is back. What is down stays so until it is restarted, or Mend. One
// event happens at a time. The error is a *SparedError, or what failed.
func (w *World) Do(ctx context.Context, event string) error {
	if _, ok := lab.FindEvent(event); !ok {
		return fmt.Errorf("topology: there is no event %q", event)
	}
	if why := w.Spared(event); why != "" {
		return &SparedError{event, why}
	}
	w.doing.Lock()
	defer w.doing.Unlock()
	if err := w.do(ctx, event); err != nil {
		return fmt.Errorf("topology: %s: %w", event, err)
	}
	return nil
}

func (w *World) do(ctx context.Context, event string) error {
	defer w.changed()
	switch event {
	case lab.KillApp:
		i := w.next()
		if i == nil {
			return errNoServer
		}
		return w.Kill(i.name)
	case lab.RestartApp:
		i := w.first(lab.NodeDown)
		if i == nil {
			i = w.next()
		}
		if i == nil {
			return errNoServer
		}
		return w.renew(i)
	case lab.Rolling:
		for _, i := range w.list() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.renew(i); err != nil {
				return err
			}
		}
		return nil
	case lab.AddApp:
		return w.addServer()
	case lab.KillStore:
		return w.endStore(func(n *storeNode) { n.process.Kill() })
	case lab.RestartStore:
		if err := w.endStore(func(n *storeNode) { n.process.Term() }); err != nil {
			return err
		}
		return w.startStore()
	case lab.Failover:
		return w.perform(func() {
			old := w.store.primary()
			old.process.Kill()
			w.turnNode(old, lab.NodeDown)
			w.store.another(old)
			w.learnRoles()
		})
	case lab.FlushStore:
		return w.ask(w.store.flush)
	case lab.FullStore:
		w.mu.Lock()
		w.full = true
		w.mu.Unlock()
		if w.store == nil {
			return w.crowd(ctx)
		}
		return w.ask(w.store.fill)
	case lab.CutStore:
		i := w.next()
		if i == nil {
			return errNoServer
		}
		return w.Cut(i.name, true)
	case lab.RotateKeys:
		return w.rotate()
	case lab.ProviderDown:
		return w.parties.provider.down()
	}
	return nil // lab.Steady
}

// ask has the store do something.
func (w *World) ask(f func() error) error {
	var err error
	return errors.Join(w.perform(func() { err = f() }), err)
}

// Mend puts everything right again: what is down is started, what is cut or full
// is not any more, and returns when all serves.
func (w *World) Mend(ctx context.Context) error {
	w.doing.Lock()
	defer w.doing.Unlock()
	defer w.changed()
	if err := w.mend(ctx); err != nil {
		return fmt.Errorf("topology: mend: %w", err)
	}
	return nil
}

func (w *World) mend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.parties.provider.up(); err != nil {
		return err
	}
	if w.store != nil {
		if err := w.startStore(); err != nil {
			return err
		}
		w.mu.Lock()
		full := w.full
		w.full = false
		w.mu.Unlock()
		if full {
			if err := w.ask(w.store.ease); err != nil {
				return err
			}
		}
	}
	for _, i := range w.list() {
		if err := w.Cut(i.name, false); err != nil {
			return err
		}
	}
	return w.perform(func() {
		for _, i := range w.list() {
			if i.state == lab.NodeDown {
				w.turn(i, lab.NodeStarting)
				i.process.Restart()
				w.turn(i, lab.NodeUp)
			}
		}
		for _, i := range w.list() {
			servers.WaitFor(w.stage, i.name+" to be ready", func(ctx context.Context) error { return w.ready(ctx, i) })
			if w.options.Balancer == lab.Embedded { // the others have had, or will have, a second
				w.front.await(i)
			}
		}
	})
}

// Kill ends a server without a warning.
func (w *World) Kill(name string) error {
	i := w.named(name)
	if i == nil {
		return fmt.Errorf("there is no server %q", name)
	}
	return w.perform(func() {
		i.process.Kill()
		w.turn(i, lab.NodeDown)
	})
}

// renew has a server end as it should, if it runs, and starts it again.
func (w *World) renew(i *server) error {
	return w.perform(func() {
		if i.state == lab.NodeUp {
			w.turn(i, lab.NodeDraining)
			i.process.Term()
			w.turn(i, lab.NodeDown)
		}
		w.restart(i)
	})
}

// Cut cuts a server from the store, or mends that.
func (w *World) Cut(name string, cut bool) error {
	i := w.named(name)
	switch {
	case i == nil:
		return fmt.Errorf("there is no server %q", name)
	case i.relay == nil:
		return nil
	case cut:
		i.relay.cut()
	default:
		i.relay.mend()
	}
	w.mu.Lock()
	i.cut = cut
	w.mu.Unlock()
	return nil
}

func (w *World) addServer() error {
	return w.perform(func() {
		all := w.list()
		if len(all) >= 9 {
			w.stage.Fatal("there are nine servers already")
		}
		i := w.prepare(len(all))
		w.launch(i)
		i.process.WaitReady()
		w.mu.Lock()
		w.servers = append(w.servers, i)
		w.mu.Unlock()
		w.turn(i, lab.NodeUp)
		w.stage.Must(w.front.add(i))
	})
}

func (w *World) endStore(end func(*storeNode)) error {
	return w.perform(func() {
		for _, n := range w.store.nodes {
			if n.State == lab.NodeUp {
				end(n)
				w.turnNode(n, lab.NodeDown)
			}
		}
	})
}

// StartStore starts what is down of the store, and returns when it is whole.
func (w *World) StartStore() error { return w.startStore() }

func (w *World) startStore() error {
	return w.perform(func() {
		started := false
		for _, n := range w.store.nodes {
			if n.State == lab.NodeDown {
				w.turnNode(n, lab.NodeStarting)
				n.process.Restart()
				w.turnNode(n, lab.NodeUp)
				started = true
			}
		}
		if started && w.store.whole != nil {
			w.store.whole()
		}
		w.learnRoles()
	})
}

// EndNode kills one process of the store without a warning.
func (w *World) EndNode(name string) error {
	return w.perform(func() {
		for _, n := range w.store.nodes {
			if n.Name == name && n.State == lab.NodeUp {
				n.process.Kill()
				w.turnNode(n, lab.NodeDown)
			}
		}
	})
}

// learnRoles asks the store's nodes what they are.
func (w *World) learnRoles() {
	if w.store == nil || w.store.primary == nil {
		return
	}
	for _, n := range w.store.nodes {
		role := ""
		if n.State == lab.NodeUp {
			said, _ := n.redis.Try("role")
			first, _, _ := strings.Cut(said, "\n")
			role = map[string]string{"master": "primary", "slave": "replica"}[first]
		}
		w.mu.Lock()
		n.Role = role
		w.mu.Unlock()
	}
}

// rotate puts a new key first, and returns when it is in use everywhere.
func (w *World) rotate() error {
	w.addKey()
	seals := fmt.Sprintf(`"seals":"%s"`, keyID(len(w.keys)-1))
	return w.perform(func() {
		for _, i := range w.list() {
			w.stage.Must(w.configure(i))
		}
		for _, i := range w.list() {
			servers.WaitFor(w.stage, i.name+" to seal with the new key", func(context.Context) error {
				if !strings.Contains(i.process.Log(), seals) {
					return errors.New("it does not say so")
				}
				return nil
			})
		}
	})
}

// mostGuests bounds those who crowd a memory: several times as many as it holds.
const mostGuests = 4000

// crowd signs in guests, who never come back, until a server has to let sessions
// go.
func (w *World) crowd(ctx context.Context) error {
	site := visitor.NewSite(w.origin, w.roots)
	defer site.Close()
	before, err := w.Metrics(ctx)
	if err != nil {
		return err
	}
	guest := visitor.New(site, "bob", "builder")
	for n := range mostGuests {
		if err := guest.SignIn(ctx); err != nil {
			return err
		}
		if n%50 != 49 {
			continue
		}
		now, err := w.Metrics(ctx)
		if err != nil {
			return err
		}
		if now.Sum("cloakroom_sessions_evicted_total") > before.Sum("cloakroom_sessions_evicted_total") {
			return nil
		}
	}
	return errors.New("there was room for everybody")
}

// list is the servers there are now.
func (w *World) list() []*server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*server(nil), w.servers...)
}

// first is the first server that is so; nil: none is.
func (w *World) first(state lab.NodeState) *server {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.servers {
		if i.state == state {
			return i
		}
	}
	return nil
}

var errNoServer = errors.New("every server is down")

// next is the server whose turn it is to suffer, of those that run; nil: none does.
func (w *World) next() *server {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range w.servers {
		at := (w.turnOf + n) % len(w.servers)
		if i := w.servers[at]; i.state == lab.NodeUp && !i.cut {
			w.turnOf = at + 1
			return i
		}
	}
	return nil
}

func (w *World) named(name string) *server {
	for _, i := range w.list() {
		if i.name == name {
			return i
		}
	}
	return nil
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
