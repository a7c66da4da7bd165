package balancer

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// State is how an instance is.
type State string

// The states.
const (
	Up       State = "up"
	Draining State = "draining" // it leaves, or is asked to: nothing new goes there
	Down     State = "down"     // it does not answer, or says that it cannot serve
)

// Status is an instance and how it is.
type Status struct {
	Instance
	State  State
	Why    string // of a state that is not Up, in words
	Active int    // requests under way, streams and WebSockets among them
	Served int64  // requests it has answered
}

// instance is a Status in the making. The balancer's mutex guards it.
type instance struct {
	Instance
	state   State // as its checks and requests have it
	why     string
	drained bool // as somebody asked
	gone    bool
	active  int
	served  int64
	fails   int       // checks in a row
	passes  int       // checks in a row
	breaks  int       // requests in a row
	tryAt   time.Time // when one that is never asked may be tried again
}

func (i *instance) status() Status {
	s := Status{Instance: i.Instance, State: i.state, Why: i.why, Active: i.active, Served: i.served}
	if i.drained && i.state == Up {
		s.State, s.Why = Draining, "somebody asked for it"
	}
	return s
}

// takes reports whether a new request may go there.
func (i *instance) takes(now time.Time) bool {
	switch {
	case i.drained:
		return false
	case i.state == Up:
		return true
	}
	return i.state == Down && i.Admin == "" && now.After(i.tryAt)
}

// Run asks every instance whether it is ready until ctx ends, all at once and
// again after Config.Check.
func (b *Balancer) Run(ctx context.Context) {
	tick := time.NewTicker(b.cfg.Check)
	defer tick.Stop()
	for {
		b.checkAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (b *Balancer) checkAll(ctx context.Context) {
	b.mu.Lock()
	asked := make([]*instance, 0, len(b.instances))
	for _, i := range b.instances {
		if i.Admin != "" {
			asked = append(asked, i)
		}
	}
	b.mu.Unlock()
	var all sync.WaitGroup
	for _, i := range asked {
		all.Go(func() { b.check(ctx, i) })
	}
	all.Wait()
}

// check asks one.
func (b *Balancer) check(ctx context.Context, i *instance) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.Admin+"/readyz", nil)
	if err != nil {
		return
	}
	response, err := b.probe.Do(r)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		b.saw(i, Down, "it does not answer")
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	switch {
	case response.StatusCode == http.StatusOK:
		b.saw(i, Up, "")
	case bytes.Contains(body, []byte(`"status":"draining"`)):
		b.saw(i, Draining, "it leaves")
	default:
		b.saw(i, Down, "it says that it is not ready")
	}
}

// saw takes the outcome of a check. Who leaves is believed at once.
func (b *Balancer) saw(i *instance, state State, why string) {
	b.mu.Lock()
	if state == Up {
		i.fails, i.passes = 0, i.passes+1
	} else {
		i.fails, i.passes = i.fails+1, 0
	}
	switch {
	case state == Up && i.state != Up && i.passes < b.cfg.Rise,
		state == Down && i.state == Up && i.fails < b.cfg.Fall:
		b.mu.Unlock()
		return
	}
	b.turnTo(i, state, why)
}

// refused is what a request found: nobody takes connections there.
func (b *Balancer) refused(i *instance) {
	b.mu.Lock()
	i.passes = 0
	i.tryAt = time.Now().Add(b.cfg.Check)
	b.turnTo(i, Down, "it takes no connection")
}

// broke is what a request found: a connection that ended before its answer.
func (b *Balancer) broke(i *instance) {
	b.mu.Lock()
	if i.breaks, i.passes = i.breaks+1, 0; i.breaks < b.cfg.Fall {
		b.mu.Unlock()
		return
	}
	i.tryAt = time.Now().Add(b.cfg.Check)
	b.turnTo(i, Down, "its connections break")
}

// answered is what a request found.
func (b *Balancer) answered(i *instance) {
	b.mu.Lock()
	i.breaks = 0 // what it says of itself on /readyz is another matter
	i.served++
	if i.Admin == "" && i.state == Down {
		b.turnTo(i, Up, "")
		return
	}
	b.mu.Unlock()
}

// turnTo changes the state and tells of it. It is called with b.mu held, and
// lets go of it.
func (b *Balancer) turnTo(i *instance, state State, why string) {
	changed := i.state != state && !i.gone
	i.state, i.why = state, why
	status := i.status()
	b.mu.Unlock()
	if changed {
		b.tell(status)
	}
}

func (b *Balancer) tell(s Status) {
	b.cfg.Log.Info("instance", "name", s.Name, "state", string(s.State), "why", s.Why)
	if b.cfg.Changed != nil {
		b.cfg.Changed(s)
	}
}
