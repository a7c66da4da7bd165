package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/redis"
)

// sizes are a crowd and the one it is compared with.
func (p plan) sizes() (few, many int) {
	if p.small {
		return 100, 2000
	}
	return 1000, 1_000_000
}

// on runs a part in a world of its own.
func (e errand) on(ctx context.Context, life time.Duration, names []string, f func(w *world, s *servers.Stage) error) error {
	w, err := openWorld(ctx, e.progress, e.cloakroom, life, names...)
	if err != nil {
		return err
	}
	defer w.close()
	var failed error
	err = servers.Perform(ctx, e.progress, func(s *servers.Stage) { failed = f(w, s) })
	if failed != nil {
		return failed
	}
	return err
}

func (w *world) someTokens(s *servers.Stage) []string { return w.bareTokens(s)[:crowdTokens] }

// measureMillionInMemory has two processes side by side, with few sessions and
// with many, and calls them in turn with any of their sessions.
func measureMillionInMemory(ctx context.Context, p plan, e errand) error {
	return e.on(ctx, tokenLife, []string{bareName, "few", "many"}, func(w *world, s *servers.Stage) error {
		few, many := p.sizes()
		tokens := w.someTokens(s)
		_, fewCrowd, _ := w.openCrowded(s, "few", few, tokens)
		house, manyCrowd, figures := w.openCrowded(s, "many", many, tokens)
		each := float64(figures.After-figures.Before)/float64(many) - tokensSize
		var gc []float64
		for _, seconds := range figures.GC {
			gc = append(gc, seconds*1000)
		}
		e.tell(
			measure{"Million/memory/bytes", "a million sessions in memory: bytes a session, above its tokens (RAM of the process)", "B", []float64{each}},
			measure{"Million/memory/gc", "the same: processor time of a GC cycle", "ms", gc},
		)
		return e.beside(w, p, "memory", [2]string{"few", "many"}, [2]source{fewCrowd.anyOf(few), manyCrowd.anyOf(many)}, house)
	})
}

// beside calls with few sessions and with many in turn.
func (e errand) beside(w *world, p plan, store string, names [2]string, next [2]source, house *house) error {
	var sides []side
	for i, name := range names {
		l, err := dial(w.ctx, w.addr(name), connections)
		if err != nil {
			return err
		}
		defer l.close()
		sides = append(sides, side{l, next[i]})
	}
	var p99s [2][]float64
	var ratios []float64
	for range 4 * p.rounds { // a p99 is of few calls
		if _, err := alternate(w.ctx, warm, sides...); err != nil {
			return err
		}
		samples, err := alternate(w.ctx, p.slice, sides...)
		if err != nil {
			return err
		}
		for i, s := range samples {
			p99s[i] = append(p99s[i], micros(s.quantile(.99)))
		}
		n := len(p99s[0]) - 1
		ratios = append(ratios, p99s[1][n]/p99s[0][n])
	}
	e.tell(
		measure{"Million/" + store + "/p99-few", "p99 with 1,000 sessions in " + store, "us", p99s[0]},
		measure{"Million/" + store + "/p99-many", "p99 with a million", "us", p99s[1]},
		measure{"Million/" + store + "/p99", "the one by the other, in the same round", "ratio", ratios},
		measure{"Million/" + store + "/rss", "RAM of Cloakroom then", "MB", []float64{float64(house.server.Proportional()) / 1e6}},
	)
	return nil
}

// gatherIn fills a Redis server, as another instance would that has the same key.
func (e errand) gatherIn(w *world, r *servers.RedisServer, key ringKey, n int, who func(i int) session.Session) (tickets []string, err error) {
	ring, err := key.ring()
	if err != nil {
		return nil, err
	}
	store, err := redis.New(redis.Config{URL: secret.New("redis://" + r.Addr()), Timeout: patience})
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }()
	sessions, err := session.New(store, session.Config{Keys: ring, Lifetimes: session.Lifetimes{Idle: 12 * time.Hour, Absolute: 12 * time.Hour}})
	if err != nil {
		return nil, err
	}
	err = e.freely(func() error {
		if err := pin(r.PID(), everyCore()); err != nil {
			return err
		}
		tickets, err = gather(w.ctx, sessions, n, connections, who)
		return err
	})
	if err == nil {
		err = pin(r.PID(), ourCore)
	}
	return tickets, err
}

// usedMemory is what a Redis server holds, in bytes.
func usedMemory(r *servers.RedisServer) (float64, error) {
	info, err := r.Try("INFO", "memory")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(info, "\nused_memory:")
	text, _, _ := strings.Cut(rest, "\r\n")
	return strconv.ParseFloat(text, 64)
}

func measureMillionInRedis(ctx context.Context, p plan, e errand) error {
	return e.on(ctx, tokenLife, []string{bareName, "redis"}, func(w *world, s *servers.Stage) error {
		few, many := p.sizes()
		tokens := w.someTokens(s)
		r := servers.Redis(s)
		h := w.openCloakroom(s, "redis", "  store: redis\n  url: redis://"+r.Addr()+"\n")
		empty, err := usedMemory(r)
		s.Must(err)
		fmt.Fprintf(e.progress, "  creating %d sessions\n", many)
		tickets, err := e.gatherIn(w, r, h.key, many, func(i int) session.Session { return w.someone(i, tokens[i%len(tokens)]) })
		if err != nil {
			return err
		}
		full, err := usedMemory(r)
		s.Must(err)
		e.tell(measure{"Million/redis/bytes", "a million sessions in Redis: bytes a session, above its tokens (used_memory)", "B",
			[]float64{(full-empty)/float64(many) - tokensSize}})
		c := w.newCrowd("redis", tickets, tokens)
		return e.beside(w, p, "redis", [2]string{"redis", "redis"}, [2]source{c.anyOf(few), c.anyOf(many)}, h)
	})
}

// measureRotation calls with any of many sessions while nothing happens, while
// keys are put into the config one after the other, and again while nothing does.
func measureRotation(ctx context.Context, p plan, e errand) error {
	n, idle, rotating, every := 100_000, 20*time.Second, 45*time.Second, 15*time.Second
	if p.small {
		n, idle, rotating, every = 1000, 2*time.Second, 25*time.Second, 10*time.Second
	}
	return e.on(ctx, tokenLife, []string{bareName, "rotation"}, func(w *world, s *servers.Stage) error {
		tokens := w.someTokens(s)
		r := servers.Redis(s)
		section := "  store: redis\n  url: redis://" + r.Addr() + "\n"
		h := w.openCloakroom(s, "rotation", section)
		tickets, err := e.gatherIn(w, r, h.key, n, func(i int) session.Session { return w.someone(i, tokens[i%len(tokens)]) })
		if err != nil {
			return err
		}
		next := w.newCrowd("rotation", tickets, tokens).anyOf(n)
		l, err := dial(ctx, h.addr, connections)
		if err != nil {
			return err
		}
		defer l.close()
		if _, err := l.run(ctx, idle/4, next, nil); err != nil {
			return err
		}
		before, err := l.run(ctx, idle, next, nil)
		if err != nil {
			return err
		}
		rotator, stop := context.WithCancel(ctx)
		rotated := make(chan error, 1)
		go func() { rotated <- w.rotate(rotator, h, "rotation", section, every) }()
		during, err := l.run(ctx, rotating, next, nil)
		stop()
		if failed := <-rotated; err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		if !strings.Contains(w.log("rotation", "key ring replaced"), "key ring replaced") {
			return fmt.Errorf("no key was ever taken up")
		}
		after, err := l.run(ctx, idle, next, nil)
		if err != nil {
			return err
		}
		quiet := (micros(before.quantile(.99)) + micros(after.quantile(.99))) / 2
		e.tell(
			measure{"Rotation/idle", "p99 with 100,000 sessions in Redis", "us", []float64{micros(before.quantile(.99)), micros(after.quantile(.99))}},
			measure{"Rotation/rotating", "p99 while a key is put in every 15 s", "us", []float64{micros(during.quantile(.99))}},
			measure{"Rotation/p99", "the one by the other", "ratio", []float64{micros(during.quantile(.99)) / quiet}},
		)
		return nil
	})
}

// rotate puts a new key first into the config, again and again. The others stay,
// since sessions are sealed with them.
func (w *world) rotate(ctx context.Context, h *house, name, section string, every time.Duration) error {
	keys := []ringKey{h.key}
	for {
		keys = append([]ringKey{newKey()}, keys...)
		// A file that is half written must not be read.
		if err := os.WriteFile(h.config+".new", []byte(w.cloakroomConfig(name, section, keys...)), 0o600); err != nil {
			return err
		}
		if err := os.Rename(h.config+".new", h.config); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}
