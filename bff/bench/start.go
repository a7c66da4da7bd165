package main

import (
	"context"
	"time"

	"cloakroom/bff/servers"
)

// measureStart starts Cloakroom again and again, and asks each millisecond whether
// it is ready: it listens, and has found its provider.
func measureStart(ctx context.Context, p plan, e errand) error {
	return e.on(ctx, tokenLife, []string{"start"}, func(w *world, s *servers.Stage) error {
		h, command := w.planCloakroom(s, "start", "  store: memory\n")
		command = onFrontCore(command)
		var times []float64
		for range 2 * p.rounds {
			began := time.Now()
			process := servers.Launch(s, command)
			for h.wholly(ctx) != nil {
				if time.Since(began) > patience {
					process.WaitReady() // says why not
				}
				time.Sleep(time.Millisecond)
			}
			times = append(times, micros(time.Since(began))/1000)
			process.Kill()
		}
		e.tell(measure{"Start", "`cloakroom serve`, from its start to ready, provider found, on one core", "ms", times})
		return nil
	})
}
