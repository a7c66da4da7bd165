package main

import (
	"context"
	"errors"
	"io"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
)

// stage is where a store and its server play.
type stage struct{ *servers.Stage }

// perform runs f on a stage, clears the stage, and returns what failed.
func perform(ctx context.Context, progress io.Writer, f func(*stage)) error {
	return servers.Perform(ctx, progress, func(s *servers.Stage) { f(&stage{s}) })
}

// background runs the store's own work until the stage is cleared.
func (s *stage) background(r session.Runner) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				s.Error(err)
			}
		case <-time.After(time.Minute):
			s.Error("the store's background work does not end")
		}
	})
}

// dir returns a new folder.
func (s *stage) dir() string { return servers.Dir(s, nil) }
