package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"cloakroom/bff/collector"
	"cloakroom/bff/config"
	"cloakroom/bff/observe"
	"cloakroom/bff/server"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/shared"
)

// A crowd is sessions that nobody signed in for, which would take an hour for a
// million of them: they are created through the same Manager that a sign-in
// creates them through.

// crowd calls a front with any of its sessions.
type crowd struct {
	tickets []string
	bodies  [][]byte // of the access tokens, which the sessions share in turn
	calls   []*call  // one a connection, its request with a hole for the ticket
	hole    int
}

// crowdTokens are so many access tokens of the provider's.
const crowdTokens = 64

func (w *world) newCrowd(name string, tickets, tokens []string) *crowd {
	c := &crowd{tickets: tickets, calls: make([]*call, connections)}
	for _, token := range tokens {
		c.bodies = append(c.bodies, w.upstream.expect(token))
	}
	for i := range c.calls {
		const mark = "Cookie: " + shared.CookieName + "="
		c.calls[i] = &call{request: w.request(name, mark+tickets[0])}
		c.hole = strings.Index(string(c.calls[i].request), mark) + len(mark)
	}
	return c
}

// anyOf calls with one of the first n, at random.
func (c *crowd) anyOf(n int) source {
	return func(conn int) (*call, bool) { return c.call(conn, rand.IntN(n)), true }
}

func (c *crowd) call(conn, i int) *call {
	made := c.calls[conn]
	copy(made.request[c.hole:], c.tickets[i])
	made.body = c.bodies[i%len(c.bodies)]
	return made
}

// gather creates n sessions, the i-th of them by make, and returns their tickets.
func gather(ctx context.Context, sessions *session.Manager, n, workers int, who func(i int) session.Session) ([]string, error) {
	tickets := make([]string, n)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				ticket, err := sessions.Create(ctx, who(i))
				if err != nil {
					return err
				}
				tickets[i] = ticket.Reveal()
			}
			return ctx.Err()
		})
	}
	return tickets, group.Wait()
}

// crowdFigures are what a process tells that holds a crowd in its memory.
type crowdFigures struct {
	Before int64 `json:"resident_before"`
	After  int64 `json:"resident_after"`
	// GC is the processor time of a cycle, in seconds.
	GC []float64 `json:"gc_seconds"`
}

// crowded is "cloakroom serve" with sessions in its memory that it made itself
// before it listens. What is in files, line by line: the access tokens, read; the
// tickets and the figures, written.
func crowded(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("crowded", flag.ContinueOnError)
	file := flags.String("config", "", "`file`")
	n := flags.Int("sessions", 0, "`n`")
	tokensFile := flags.String("tokens", "", "`file`")
	ticketsFile := flags.String("tickets", "", "`file`")
	figuresFile := flags.String("figures", "", "`file`")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	loaded, err := config.Load(*file, os.Environ())
	if err != nil {
		return err
	}
	lines := observe.HoldLines(os.Stderr)
	defer func() { _ = lines.Flush() }()
	log := observe.NewLogger(lines, loaded.Log.Level, loaded.Log.Format)
	collector.Fit(os.Environ(), loaded.Session.MaxBytes, log)
	s, err := server.New(loaded, server.Options{Log: log, Version: "crowded"})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(*tokensFile)
	if err != nil {
		return err
	}
	tokens := strings.Fields(string(text))
	debug.FreeOSMemory()
	figures := crowdFigures{Before: resident()}
	tickets, err := gather(ctx, s.Sessions(), *n, runtime.GOMAXPROCS(0), func(i int) session.Session {
		return someone(loaded.Provider.Issuer, i, tokens[i%len(tokens)])
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(*ticketsFile, []byte(strings.Join(tickets, "\n")), 0o600); err != nil {
		return err
	}
	tickets = nil
	debug.FreeOSMemory()
	figures.After = resident()
	for range 3 {
		before := ownCPU()
		runtime.GC() // nothing else is done yet
		figures.GC = append(figures.GC, (ownCPU() - before).Seconds())
	}
	told, err := json.Marshal(figures)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*figuresFile, told, 0o600); err != nil {
		return err
	}
	return s.Run(ctx, nil)
}

// resident is this process's memory in RAM, in bytes.
func resident() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var size, pages int64
	_, _ = fmt.Sscan(string(text), &size, &pages)
	return pages * int64(os.Getpagesize())
}

// ownCPU is the processor time that this process has used so far.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // only for arguments that are not there (getrusage(2))
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// openCrowded runs such a process.
func (w *world) openCrowded(s *servers.Stage, name string, n int, tokens []string) (*house, *crowd, crowdFigures) {
	h, command := w.planCloakroom(s, name, "  store: memory\n  max_bytes: 16GiB\n  idle_timeout: 12h\n")
	self, err := os.Executable()
	s.Must(err)
	tokensFile, ticketsFile, figuresFile := write(s, command.Dir, "tokens", strings.Join(tokens, "\n")), command.Dir+"/tickets", command.Dir+"/figures"
	command.Program = self
	command.Args = []string{"crowded", "-config", h.config, "-sessions", fmt.Sprint(n), "-tokens", tokensFile, "-tickets", ticketsFile, "-figures", figuresFile}
	h.server = w.startPatiently(s, name, command)
	tickets, err := os.ReadFile(ticketsFile)
	s.Must(err)
	text, err := os.ReadFile(figuresFile)
	s.Must(err)
	var figures crowdFigures
	s.Must(json.Unmarshal(text, &figures))
	return h, w.newCrowd(name, strings.Fields(string(tickets)), tokens), figures
}

// startPatiently is start for who needs more than a moment.
func (w *world) startPatiently(s *servers.Stage, name string, c servers.Command) *servers.Process {
	ready := c.Ready
	c.Ready = func(context.Context) error { return nil }
	p := w.start(s, name, c)
	for end := time.Now().Add(5 * time.Minute); ; {
		err := ready(w.ctx)
		switch {
		case err == nil:
			return p
		case w.ctx.Err() != nil || time.Now().After(end):
			s.Fatalf("%s is not ready: %v\n%s", name, err, w.log(name))
		}
		time.Sleep(100 * time.Millisecond)
	}
}
