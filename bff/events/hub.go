package events

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"cloakroom/bff/session"
)

// Store is where the hub looks whether a session is still there. One that keeps
// copies is a session.Copier too: the hub reads past them.
type Store interface {
	Get(ctx context.Context, id session.ID) (session.Record, error)
}

// How often a watched session is looked at unasked.
const (
	// PollAlone is for a store that other instances change and that does not
	// tell of it.
	PollAlone = 2 * time.Second
	// PollBeside is for one that tells, or that this instance has to itself:
	// news may be lost, and what shortens a session here ends it only later.
	PollBeside = 30 * time.Second
)

// Config of a Hub. Store and Idle are required.
type Config struct {
	Store Store
	// Idle is the sessions' idle timeout. A session is said to expire a minute
	// before it does, or half of Idle if that is less.
	Idle time.Duration
	// Poll is how often a watched session is looked at unasked; 0 means
	// PollAlone.
	Poll time.Duration
	// PollRate bounds those looks, a second: the more sessions are watched, the
	// more rarely each is looked at. 0 means 500.
	PollRate int
	// Parallel bounds the reads at one time; 0 means 16.
	Parallel int
	// Timeout bounds a read; 0 means 5s.
	Timeout time.Duration
}

// Hub knows who waits for the end of which session.
type Hub struct {
	config Config
	copier session.Copier // nil: the store keeps no copies
	lead   time.Duration  // how long before its end a session is expiring
	wake   chan struct{}  // holds one: the loop has to look at the queue

	mu       sync.Mutex
	sessions map[session.ID]*watched
	queue    queue // those of sessions that nobody reads just now
	reading  int
	draining bool
}

// watched is a session that somebody waits for.
type watched struct {
	id      session.ID
	watches map[*Watch]struct{}
	expires time.Time // as last read; zero before that
	warned  bool      // that it expires then
	failed  int       // reads in a row

	due   time.Time // when it is looked at
	index int       // in the queue; -1 while it is being read
	again bool      // it changed while it was being read
}

// New checks the config.
func New(c Config) (*Hub, error) {
	if c.Store == nil || c.Idle <= 0 || c.Poll < 0 || c.PollRate < 0 || c.Parallel < 0 || c.Timeout < 0 {
		return nil, errors.New("events: a store and an idle timeout are needed, and no bound may be negative")
	}
	if c.Poll == 0 {
		c.Poll = PollAlone
	}
	if c.PollRate == 0 {
		c.PollRate = 500
	}
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	h := &Hub{
		config: c, lead: min(time.Minute, c.Idle/2), wake: make(chan struct{}, 1), sessions: map[session.ID]*watched{},
	}
	h.copier, _ = c.Store.(session.Copier)
	return h, nil
}

// Ended is told that a session was ended through this instance
// (session.Config.Ended).
func (h *Hub) Ended(id session.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, ok := h.sessions[id]; ok {
		h.end(s)
	}
}

// Changed is told by the store that a record is not what it was, or with all
// set that any may have changed unheard (nearcache.Watcher).
func (h *Hub) Changed(id session.ID, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !all {
		if s, ok := h.sessions[id]; ok {
			h.hasten(s, now)
		}
		return
	}
	// Every instance hears it at one moment: they must not read all they watch
	// at that moment.
	for _, s := range h.sessions {
		h.hasten(s, now.Add(rand.N(min(h.config.Poll, PollAlone))))
	}
}

// hasten has s looked at by then. An answer that is on its way may be from
// before: then it is asked for anew.
func (h *Hub) hasten(s *watched, due time.Time) {
	switch {
	case s.index < 0:
		s.again = true
	case due.Before(s.due):
		s.due = due
		heap.Fix(&h.queue, s.index)
		h.rouse()
	}
}

// Run looks at what is due until ctx ends. Then nobody is told any more.
func (h *Hub) Run(ctx context.Context) error {
	var readers sync.WaitGroup
	defer h.Drain()
	defer readers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if wait, some := h.begin(func(s *watched) { readers.Go(func() { h.look(ctx, s) }) }); some {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.wake:
		case <-timer.C:
		}
	}
}

// begin has read what is due, as far as the bound allows. It returns how long
// until more is; false when only an event can tell.
func (h *Hub) begin(read func(*watched)) (wait time.Duration, some bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.reading < h.config.Parallel && len(h.queue) > 0 {
		if wait := time.Until(h.queue[0].due); wait > 0 {
			return wait, true
		}
		h.reading++
		read(heap.Pop(&h.queue).(*watched))
	}
	return 0, false
}

// look reads the record of s and draws the conclusions.
func (h *Hub) look(ctx context.Context, s *watched) {
	if h.copier != nil {
		h.copier.Forget(s.id)
	}
	ctx, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	r, err := h.config.Store.Get(ctx, s.id)

	h.mu.Lock()
	defer h.mu.Unlock()
	h.reading--
	h.rouse()
	if h.sessions[s.id] != s {
		return // it ended, or nobody waits for it any more
	}
	now := time.Now()
	switch {
	case errors.Is(err, session.ErrNotFound), err == nil && !now.Before(r.Expires):
		h.end(s)
		return
	case err != nil:
		// The store is down: whoever waits, waits on.
		s.failed++
		s.due = now.Add(jitter(min(h.config.Poll, time.Second<<min(s.failed-1, 5))))
	default:
		s.failed = 0
		s.due = h.note(s, r.Expires, now)
	}
	if s.again {
		s.again, s.due = false, now
	}
	heap.Push(&h.queue, s)
}

// note keeps when s expires, warns if that is soon, and returns when to look
// again.
func (h *Hub) note(s *watched, expires, now time.Time) (due time.Time) {
	if !expires.Equal(s.expires) {
		s.expires, s.warned = expires, false
	}
	next := expires
	if left := expires.Sub(now); left > h.lead {
		next = expires.Add(-h.lead)
	} else if !s.warned {
		s.warned = true
		for w := range s.watches {
			w.warn(left)
		}
	}
	if poll := now.Add(jitter(h.pace())); poll.Before(next) {
		return poll
	}
	return next
}

// pace is how long a session is left alone.
func (h *Hub) pace() time.Duration {
	return max(h.config.Poll, time.Duration(len(h.sessions))*time.Second/time.Duration(h.config.PollRate))
}

// end tells all who wait for s and forgets it.
func (h *Hub) end(s *watched) {
	h.forget(s)
	for w := range s.watches {
		w.end()
	}
}

func (h *Hub) forget(s *watched) {
	delete(h.sessions, s.id)
	if s.index >= 0 {
		heap.Remove(&h.queue, s.index)
	}
}

// rouse makes the loop look at the queue.
func (h *Hub) rouse() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// jitter spreads d by a quarter to either side.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

// queue orders the watched by when they are due (container/heap).
type queue []*watched

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(s any) {
	s.(*watched).index = len(*q)
	*q = append(*q, s.(*watched))
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	s.index = -1
	return s
}
