// Command cloakroom keeps OAuth tokens out of the browser: a backend-for-
// frontend in one binary, with a demo of everything around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal stops at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run does what args say and returns the exit status: 0, 1 for a failure, 2
// for a mistake in what was asked.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	command := newCommand(environ, stdout, stderr)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(*configError)):
		fmt.Fprintln(stderr, err)
		return 2
	}
	fmt.Fprintln(stderr, "cloakroom:", err)
	if errors.As(err, new(*usageError)) {
		return 2
	}
	return 1
}
