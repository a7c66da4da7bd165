package compare

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/chromium"
	"cloakroom/bff/lab/machine"
	"cloakroom/bff/lab/property"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// Options of a run.
type Options struct {
	Choice Choice
	// Program is the file of the Cloakroom that is run, Version what it is.
	Program, Version string
	// Progress is told of every result; nil discards.
	Progress io.Writer
}

// Strategies runs what is chosen and returns what came out. A result that the
// lab could not get is in the report as such; the error is for a lab that could
// not be set up, or that was told to end by ctx. All that it started has ended
// when it returns.
func Strategies(ctx context.Context, o Options) (made lab.Report, err error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if err := o.Choice.Missing(); err != nil {
		return lab.Report{}, err
	}
	began := time.Now()
	m := machine.New(ctx, o.Program, o.Progress)
	defer func() { err = errors.Join(err, m.Close()) }()
	fmt.Fprintf(o.Progress, "starting %d applications\n", len(o.Choice.Strategies))
	w, err := strategy.Open(strategy.Config{Strategies: o.Choice.Strategies, Cloakroom: m.Cloakroom, Store: m.Store})
	if err != nil {
		return lab.Report{}, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	r := &run{Options: o, world: w, left: o.Choice.Cells()}
	defer func() { err = errors.Join(err, r.leave()) }()
	if err := r.attacks(ctx); err != nil {
		return lab.Report{}, err
	}
	if err := r.properties(ctx); err != nil {
		return lab.Report{}, err
	}
	r.made.Made = lab.Made{
		At: began.UTC().Truncate(time.Second), Took: time.Since(began).Round(time.Millisecond),
		Cloakroom: o.Version, Browser: r.version, Machine: describeMachine(),
	}
	return r.made, nil
}

// run is one run of the lab.
type run struct {
	Options
	world   *strategy.World
	browser *chromium.Browser // nil: none is running
	version string
	made    lab.Report
	left    int
}

// enter starts a browser that has nothing, in place of the one there was.
func (r *run) enter(ctx context.Context) (err error) {
	if err := r.leave(); err != nil {
		return err
	}
	if r.browser, err = chromium.Open(ctx); err != nil {
		return err
	}
	r.version, err = r.browser.Version(ctx)
	return err
}

func (r *run) leave() error {
	if r.browser == nil {
		return nil
	}
	leaving := r.browser
	r.browser = nil
	return leaving.Close()
}

func (r *run) tell(strategy, of, result string) {
	r.left--
	total := r.Choice.Cells()
	fmt.Fprintf(r.Progress, "[%d/%d] %s %s %s\n", total-r.left, total, strategy, of, result)
}

func (r *run) attacks(ctx context.Context) error {
	if len(r.Choice.Attacks) == 0 {
		return nil
	}
	for _, s := range r.Choice.Strategies {
		if err := r.enter(ctx); err != nil {
			return err
		}
		for _, a := range r.Choice.Attacks {
			c, err := r.cell(ctx, s, a)
			if err == nil {
				err = ctx.Err() // a cell that was cut short is none
			}
			if err != nil {
				return err
			}
			r.made.Cells = append(r.made.Cells, c)
			r.tell(s.ID, a.ID, string(c.Verdict))
		}
	}
	return nil
}

// cell makes an attack, and once more, in a browser that is new, if the lab
// itself failed. What the attack comes to is never a reason.
func (r *run) cell(ctx context.Context, s lab.Strategy, a lab.Attack) (lab.Cell, error) {
	first, err := attack.Cell(ctx, r.world, r.browser, s, a, attack.Options{})
	if err != nil || first.Evidence.Failed == "" || ctx.Err() != nil {
		return first, err
	}
	if err := r.enter(ctx); err != nil {
		return lab.Cell{}, err
	}
	second, err := attack.Cell(ctx, r.world, r.browser, s, a, attack.Options{})
	second.Evidence.Steps = append([]string{"a first attempt failed, and this is the second: " + first.Evidence.Failed}, second.Evidence.Steps...)
	return second, err
}

func (r *run) properties(ctx context.Context) error {
	if len(r.Choice.Properties) == 0 {
		return nil
	}
	if err := r.enter(ctx); err != nil {
		return err
	}
	found, err := property.Measure(ctx, r.world, r.browser, r.Choice.Strategies, r.Choice.Properties, func(m lab.Measure) {
		r.tell(m.Strategy, m.Property, cmp.Or(m.Finding, m.Missing, m.Failed))
	})
	r.made.Measures = found
	return err
}

// describeMachine is what figures hang on.
func describeMachine() string {
	text := fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if info, err := os.ReadFile("/proc/meminfo"); err == nil { // proc_meminfo(5)
		var kib int64
		if _, err := fmt.Fscanf(bytes.NewReader(info), "MemTotal: %d kB", &kib); err == nil {
			text += fmt.Sprintf(", %.1f GiB", float64(kib)/(1<<20))
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		text += ", Linux " + strings.TrimSpace(string(release))
	}
	return text
}
