package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"cloakroom/bff/bench/record"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "storebench:", err)
		os.Exit(1)
	}
}

// errUsage: what is wrong with the flags has been said.
var errUsage = errors.New("usage")

// run measures what args ask for, tells the progress to progress, and writes
// the table to out.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var p plan
	flags := flag.NewFlagSet("storebench", flag.ContinueOnError)
	flags.SetOutput(progress)
	only := flags.String("only", "", "measure these `stores` only, separated by commas")
	file := flags.String("json", "", "write every figure to `file`")
	readme := flags.String("readme", "", "put the table into `file`, between its marks; not with -only")
	flags.IntVar(&p.sessions, "sessions", 100_000, "create `n` sessions")
	flags.IntVar(&p.working, "working-set", 10_000, "read and update `n` of them")
	flags.IntVar(&p.callers, "callers", 16, "`n` calls at once")
	flags.DurationVar(&p.time, "time", 3*time.Second, "read for `d`, then update for d")
	flags.DurationVar(&p.fill, "fill", 40*time.Second, "create for `d` at most; a slow store then has fewer sessions, which the table says")
	flags.Usage = func() {
		fmt.Fprintf(progress, "usage: storebench [flags]\n\nMeasures what a session costs in every store and prints a table. Starts the servers it needs on loopback.\n\nstores:\n")
		for _, k := range kinds {
			fmt.Fprintf(progress, "  %-14s %s\n", k.name, k.label)
		}
		fmt.Fprintf(progress, "\nflags:\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage
	}
	chosen, err := choose(*only)
	switch {
	case err != nil:
	case flags.NArg() > 0:
		err = fmt.Errorf("%q is not a flag", flags.Arg(0))
	case min(p.sessions, p.working, p.callers) < 1 || min(p.time, p.fill) <= 0:
		err = errors.New("-sessions, -working-set, -callers, -time and -fill must be more than nothing")
	case *readme != "" && *only != "":
		err = errors.New("-readme needs every store, so not -only")
	}
	if err != nil {
		return err
	}

	r := report{Began: time.Now().UTC().Truncate(time.Second), Machine: record.Machine(), Settings: p.settings()}
	for i, k := range chosen {
		fmt.Fprintf(progress, "[%d/%d] %s\n", i+1, len(chosen), k.label)
		row, err := p.measure(ctx, k, progress)
		if ctx.Err() != nil {
			return errors.New("stopped")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		r.Stores = append(r.Stores, row)
	}
	return r.write(out, *file, *readme)
}

// choose returns the kinds that names lists, in their usual order, or all.
func choose(names string) ([]kind, error) {
	if names == "" {
		return kinds, nil
	}
	var chosen []kind
	wanted := strings.Split(names, ",")
	for _, k := range kinds {
		if i := slices.Index(wanted, k.name); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			chosen = append(chosen, k)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("there is no store %q; -help lists them", wanted[0])
	}
	return chosen, nil
}

// write puts the table out, and where else it was asked for.
func (r *report) write(out io.Writer, file, readme string) error {
	if file != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err == nil {
			err = record.Write(file, append(text, '\n'))
		}
		if err != nil {
			return err
		}
	}
	if readme != "" {
		if err := record.InsertFile(readme, "bench-stores", r.table()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, r.table())
	return err
}
