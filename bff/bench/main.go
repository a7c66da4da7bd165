package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errUsage: what is wrong with the flags has been said.
var errUsage = errors.New("usage")

// command runs the bench, or what the bench runs of itself as another process.
func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "bare":
			return bare(ctx, args[1:])
		case "crowded":
			return crowded(ctx, args[1:])
		}
	}
	return run(ctx, args, os.Stdout, os.Stderr)
}
