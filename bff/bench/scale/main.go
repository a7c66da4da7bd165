package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"cloakroom/bff/bench/record"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// errUsage: what is wrong with the flags has been said.
var errUsage = errors.New("usage")

// run derives what args ask for and writes it to out.
func run(args []string, out, told io.Writer) error {
	var u usage
	var p places
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	flags.SetOutput(told)
	flags.StringVar(&p.readme, "from", "README.md", "read tables of `file`")
	flags.StringVar(&p.requests, "requests", committed+",bin/bench/bench.txt", "figures of make bench: the first of these `files` that has any")
	flags.StringVar(&p.stores, "stores", "", "figures of make bench-stores, in `file` (JSON); none: the README's table")
	flags.StringVar(&p.topologies, "topologies", "", "figures of make topologies, in `file` (JSON); none: the README's table")
	file := flags.String("json", "", "write everything to `file`")
	push := flags.String("measure-push", "", "measure what news of a write cost, on a Redis of its own, and write it to `file` first")
	flags.StringVar(&p.pushes, "pushes", "bff/bench/scale/push.txt", "figures of -measure-push, in `file`")
	plot := flags.String("svg", "", "draw p99 by utilisation into `file`")
	readme := flags.String("readme", "", "put the tables into `file`, between its marks")
	seed := flags.Uint64("seed", 1, "of the simulation")
	calls := flags.Int("simulate", 200_000, "`n` calls for each point of a simulated curve; another seed then moves p99 by a few percent")
	if err := u.define(flags); err != nil {
		return err
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	if *calls < 1000 {
		return errors.New("-simulate must be 1000 at least")
	}
	if err := u.check(); err != nil {
		return err
	}
	if *push != "" {
		if err := measurePush(context.Background(), *push, pushWrites, told); err != nil {
			return err
		}
	}
	in, err := read(p)
	if err != nil {
		return err
	}
	r := derive(u, in, *seed, *calls)
	if *file != "" {
		text, err := r.json()
		if err == nil {
			err = record.Write(*file, text)
		}
		if err != nil {
			return err
		}
	}
	if *plot != "" {
		if err := record.Write(*plot, []byte(plotBusy(r.Busy, r.Ceilings))); err != nil {
			return err
		}
	}
	if *readme != "" {
		if len(r.Missing) > 0 {
			return fmt.Errorf("%s stays as it is, since nobody measured %q", *readme, r.Missing)
		}
		if err := record.InsertFile(*readme, "scale", r.text()); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, r.text())
	return err
}
