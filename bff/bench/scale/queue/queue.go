package queue

import (
	"container/heap"
	"math"
	"slices"
)

// Sim is a clock and what is to happen. The zero value begins at 0.
type Sim struct {
	now  float64
	made int
	plan events
}

// Now is the time, in seconds.
func (s *Sim) Now() float64 { return s.now }

// After has f happen in so many seconds. What is due at the same time happens in
// the order in which it was asked for.
func (s *Sim) After(seconds float64, f func()) {
	s.made++
	heap.Push(&s.plan, event{s.now + seconds, s.made, f})
}

// Run lets happen what is due until then.
func (s *Sim) Run(until float64) {
	for len(s.plan) > 0 && s.plan[0].at <= until {
		next := heap.Pop(&s.plan).(event)
		s.now = next.at
		next.happen()
	}
	s.now = until
}

type event struct {
	at     float64
	order  int
	happen func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// Station has some servers and one line, first come first served.
type Station struct {
	sim     *Sim
	servers int
	busy    int
	line    []job
	head    int
}

// job is served for so long, unless it has left the line by then.
type job struct {
	service float64
	left    func() bool
	done    func()
}

// NewStation has so many servers.
func NewStation(s *Sim, servers int) *Station { return &Station{sim: s, servers: servers} }

// Serve has a server busy for that many seconds, as soon as one is free, and then
// calls done.
func (st *Station) Serve(service float64, done func()) { st.ServeUnless(service, nil, done) }

// ServeUnless is Serve for who may leave the line: left is asked when their turn
// has come.
func (st *Station) ServeUnless(service float64, left func() bool, done func()) {
	st.line = append(st.line, job{service, left, done})
	st.next()
}

// Waiting is the length of the line, those who left it included.
func (st *Station) Waiting() int { return len(st.line) - st.head }

func (st *Station) next() {
	for st.busy < st.servers && st.head < len(st.line) {
		j := st.line[st.head]
		st.line[st.head] = job{}
		st.head++
		if st.head > 1024 && st.head*2 > len(st.line) {
			st.line = slices.Delete(st.line, 0, st.head)
			st.head = 0
		}
		if j.left != nil && j.left() {
			continue
		}
		st.busy++
		st.sim.After(j.service, func() {
			st.busy--
			j.done()
			st.next()
		})
	}
}

// Quantile is the value below which that share of the values is; they are sorted.
func Quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(math.Ceil(share*float64(len(values))))-1)]
}

// ErlangC is the share of those who have to wait in M/M/c at a load of so many
// busy servers (A. K. Erlang, 1917).
func ErlangC(servers int, load float64) float64 {
	blocked := 1.0 // Erlang B, by recursion
	for i := 1; i <= servers; i++ {
		blocked = load * blocked / (float64(i) + load*blocked)
	}
	return blocked / (1 - load/float64(servers)*(1-blocked))
}
