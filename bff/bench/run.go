package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/bench/record"
)

// part is something to measure besides the rows of the table.
type part struct {
	name, about string
	run         func(ctx context.Context, p plan, e errand) error
	// more is how often it is measured again, later.
	more int
}

var parts = []part{
	{"start", "start-up of cloakroom serve, to ready", measureStart, 0},
	{"client", "the application in headless Chromium: how large, how soon", measureClient, 2},
	{"million-memory", "a million sessions in memory", measureMillionInMemory, 0},
	{"million-redis", "a million sessions in Redis", measureMillionInRedis, 0},
	{"rotation", "100,000 sessions while keys are rotated", measureRotation, 0},
	{"sign-ins", "storm: 2,000 sign-ins", measureSignIns, 0},
	{"refreshes", "storm: 10,000 access tokens that expire within a minute", measureRefreshes, 0},
	{"reconnects", "storm: Redis is killed and comes back under load", measureReconnects, 0},
}

// paths are where things are.
type paths struct{ cloakroom, wasm string }

// errand is what a part works with.
type errand struct {
	paths
	progress io.Writer
	report   *report
	// freely runs f with all cores of the machine, and leaves the front's core
	// again.
	freely func(f func() error) error
}

// tell reports measures, and adds them.
func (e errand) tell(list ...measure) {
	for _, m := range list {
		fmt.Fprintf(e.progress, "  %s: %s %s\n", m.Label, spreadOf(m.Values).text(unitOf(m.Unit).number), unitOf(m.Unit).name)
	}
	for _, m := range list {
		e.report.add(m)
	}
}

// choice is what to measure.
type choice struct {
	kinds []kind
	parts []part
}

// schedule puts what is measured more than once in between the others: a machine
// has slow minutes.
func schedule(chosen []part) []part {
	const apart = 3
	list := slices.Clone(chosen)
	for i, one := range chosen {
		for n := range one.more {
			list = slices.Insert(list, min(i+(n+1)*apart, len(list)), one)
		}
	}
	return list
}

// rowsName stands for all rows of the table.
const rowsName = "rows"

// choose reads names, separated by commas; none is everything.
func choose(names string) (c choice, err error) {
	if names == "" {
		return choice{kinds, parts}, nil
	}
	wanted := strings.Split(names, ",")
	takes := func(name string) bool {
		i := slices.Index(wanted, name)
		if i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
		}
		return i >= 0
	}
	all := takes(rowsName)
	for _, k := range kinds {
		if takes(k.name) || all {
			c.kinds = append(c.kinds, k)
		}
	}
	for _, p := range parts {
		if takes(p.name) {
			c.parts = append(c.parts, p)
		}
	}
	if len(wanted) > 0 {
		return choice{}, fmt.Errorf("there is nothing called %q; -help lists what there is", wanted[0])
	}
	return c, nil
}

// run measures what args ask for, tells the progress to progress, and writes the
// table to out.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var p plan
	var where paths
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	only := flags.String("only", "", "measure these `names` only, separated by commas")
	file := flags.String("json", "", "write every figure to `file`")
	text := flags.String("bench", "", "write every figure to `file` in the format that benchstat reads")
	readme := flags.String("readme", "", "put the table into `file`, between its marks; not with -only")
	flags.StringVar(&where.cloakroom, "cloakroom", "bin/cloakroom", "the `program` that is measured")
	flags.StringVar(&where.wasm, "wasm", "static/web/app.wasm.br", "the client as it is sent, in `file`")
	flags.IntVar(&p.rounds, "rounds", 5, "`n` turns for every row")
	flags.DurationVar(&p.slice, "slice", 700*time.Millisecond, "a turn is `d` with 64 connections, and a quarter of d with one")
	flags.BoolVar(&p.small, "small", false, "small crowds and short storms, to see that it works; the figures say nothing")
	flags.Usage = func() {
		fmt.Fprintf(progress, "usage: bench [flags]\n\nMeasures what Cloakroom costs beside what a user would pick instead, prints a table, and compares with the budgets. Everything runs on loopback.\n\nrows (all of them: %s):\n", rowsName)
		for _, k := range kinds {
			fmt.Fprintf(progress, "  %-20s %s\n", k.name, k.label)
		}
		fmt.Fprintf(progress, "\nparts:\n")
		for _, part := range parts {
			fmt.Fprintf(progress, "  %-20s %s\n", part.name, part.about)
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
	case p.rounds < 1 || p.slice <= 0:
		err = errors.New("-rounds and -slice must be more than nothing")
	case *readme != "" && (*only != "" || p.small):
		err = errors.New("-readme needs everything in full, so neither -only nor -small")
	}
	if err != nil {
		return err
	}
	for _, file := range []string{*file, *text} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err // before anything is measured
		}
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the provider's library has much to say
	r := &report{
		Began: time.Now().UTC().Truncate(time.Second), Machine: record.Machine(), Missing: []missing{}, Measures: []measure{}, Rows: []row{},
		Settings: settings{p.rounds, p.slice.Seconds(), connections, bodySize, 0, p.small},
	}
	if err := p.all(ctx, chosen, progress, r, where); err != nil {
		return err
	}
	return r.write(out, *only == "", *file, *text, *readme)
}

// all takes the parts and the rows in turn. What cannot be measured is named,
// and the rest goes on; a wrong answer, and a stop, end it.
func (p plan) all(ctx context.Context, chosen choice, progress io.Writer, r *report, where paths) error {
	unpin, err := pinOurselves()
	if err != nil {
		return err
	}
	if len(chosen.kinds) > 0 {
		if err := p.rows(ctx, chosen.kinds, progress, r, where); err != nil {
			return errors.Join(err, unpin())
		}
	}
	for _, one := range schedule(chosen.parts) {
		fmt.Fprintf(progress, "%s: %s\n", one.name, one.about)
		err := one.run(ctx, p, errand{where, progress, r, freely(unpin)})
		var wrong *wrongAnswer
		switch {
		case ctx.Err() != nil:
			return errStopped
		case errors.As(err, &wrong):
			return errors.Join(fmt.Errorf("%s: %w", one.name, err), unpin())
		case err != nil:
			fmt.Fprintf(progress, "  %s is not measured: %v\n", one.name, err)
			r.Missing = append(r.Missing, missing{one.name, err.Error()})
		}
	}
	return unpin()
}

func freely(unpin func() error) func(func() error) error {
	return func(f func() error) error {
		if err := unpin(); err != nil {
			return err
		}
		err := f()
		_, again := pinOurselves()
		return errors.Join(err, again)
	}
}

func (p plan) rows(ctx context.Context, chosen []kind, progress io.Writer, r *report, where paths) error {
	names := []string{bareName}
	for _, k := range chosen {
		names = append(names, k.name)
	}
	w, err := openWorld(ctx, progress, where.cloakroom, tokenLife, names...)
	if err != nil {
		return err
	}
	defer w.close()
	rows, gaps, err := p.compare(w, chosen)
	_, r.Settings.TokenBytes = w.provider.given()
	r.Rows, r.Missing = rows, append(r.Missing, gaps...)
	if slices.ContainsFunc(rows, func(one row) bool { return strings.Contains(one.Label, "Redis") }) {
		r.With = append(r.With, redisVersion())
	}
	return err
}

// write puts the table out, and where else it was asked for. The README gets no
// table with a hole in it.
func (r *report) write(out io.Writer, all bool, file, text, readme string) error {
	if file != "" {
		figures, err := r.json()
		if err == nil {
			err = record.Write(file, figures)
		}
		if err != nil {
			return err
		}
	}
	if text != "" {
		if err := record.Write(text, []byte(r.benchmarks())); err != nil {
			return err
		}
	}
	list, err := r.judge(all)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n%s", r.table(), verdicts(list)); err != nil {
		return err
	}
	if readme == "" {
		return nil
	}
	if len(r.Missing) > 0 {
		return fmt.Errorf("%s stays as it is, since something could not be measured", readme)
	}
	return record.InsertFile(readme, "bench", r.table()+"\n"+budgetTable(list))
}
