package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloakroom/bff/config"
	"cloakroom/bff/lab/compare"
	"cloakroom/bff/lab/report"
	"cloakroom/shared/lab"
)

func compareCommand(stdout, stderr io.Writer) *cobra.Command {
	c := &cobra.Command{
		Use:   "compare",
		Short: "Run every way of keeping a session, and of deploying Cloakroom, and report what held",
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(compareStrategiesCommand(stdout, stderr), compareTopologiesCommand(stdout, stderr))
	return c
}

func compareStrategiesCommand(stdout, stderr io.Writer) *cobra.Command {
	var only []string
	var out, format string
	c := &cobra.Command{
		Use:   "strategies",
		Short: "Attack each strategy in a real browser, and measure what it survives and costs",
		Long: "Attack each strategy in a real browser, and measure what it survives and costs.\n\n" +
			"Everything runs on this machine's loopback, and nothing is left behind. It takes chromium, and for the\n" +
			"strategies with a store, redis-server and postgresql. Progress goes to standard error.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			to := destination{c, stdout, stderr, "strategies", out, format}
			if err := to.check(); err != nil {
				return err
			}
			choice, err := compare.Choose(only)
			if err != nil {
				return &usageError{err}
			}
			if err := choice.Missing(); err != nil {
				return err
			}
			newLogger(stderr, slog.LevelError, config.LogText) // attacks that fail make warnings by nature
			program, err := os.Executable()
			if err != nil {
				return err
			}
			if err := to.open(); err != nil {
				return err
			}
			made, err := compare.Strategies(c.Context(), compare.Options{Choice: choice, Program: program, Version: buildVersion(), Progress: stderr})
			if errors.Is(err, context.Canceled) {
				return errors.New("stopped")
			}
			if err != nil {
				return err
			}
			return to.write(func(w io.Writer, format string) error { return report.Write(w, format, made) })
		},
	}
	c.Flags().StringSliceVar(&only, "only", nil, "IDs of strategies, attacks and properties, with commas (empty: all)")
	c.Flags().StringVar(&out, "out", "", "folder for strategies.json, .md and .html (empty: standard output)")
	c.Flags().StringVar(&format, "format", "md", "json, md or html; with --out, that file alone")
	return c
}

func compareTopologiesCommand(stdout, stderr io.Writer) *cobra.Command {
	var only []string
	var out, format string
	o := compare.TopologyOptions{Progress: stderr, Version: buildVersion()}
	c := &cobra.Command{
		Use:   "topologies",
		Short: "Run each topology under load, have things happen to it, and measure what is lost",
		Long: "Run each topology under load, have things happen to it, and measure what is lost.\n\n" +
			"Servers, stores and balancers are real processes, all on this machine's loopback, and nothing is left behind.\n" +
			"It takes redis-server, memcached and postgresql, for the balancers that people deploy haproxy, nginx, or\n" +
			"this project's source, which document-n needs, too. Progress goes to standard error.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			to := destination{c, stdout, stderr, "topologies", out, format}
			if err := to.check(); err != nil {
				return err
			}
			if !slices.Contains(lab.Balancers(), o.Balancer) {
				return &usageError{fmt.Errorf("there is no balancer %q; there are: %s", o.Balancer, strings.Join(lab.Balancers(), " "))}
			}
			if o.Instances < 2 || o.Instances > 7 {
				return &usageError{fmt.Errorf("--instances is from 2 to 7, not %d", o.Instances)}
			}
			if o.Choice, err = compare.ChooseTopologies(only); err != nil {
				return &usageError{err}
			}
			if err := o.Missing(); err != nil {
				return err
			}
			newLogger(stderr, slog.LevelError, config.LogText) // what is killed makes warnings by nature
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			if err := to.open(); err != nil {
				return err
			}
			made, err := compare.Topologies(c.Context(), o)
			if errors.Is(err, context.Canceled) {
				return errors.New("stopped")
			}
			if err != nil {
				return err
			}
			return to.write(func(w io.Writer, format string) error { return report.WriteTopologies(w, format, made) })
		},
	}
	c.Flags().StringSliceVar(&only, "only", nil, "IDs of topologies and events, with commas (empty: all)")
	c.Flags().IntVar(&o.Instances, "instances", 3, "servers where a topology has many, 2 to 7")
	c.Flags().StringVar(&o.Balancer, "balancer", lab.Embedded, strings.Join(lab.Balancers(), ", "))
	c.Flags().BoolVar(&o.TLS, "tls", false, "end TLS at the embedded balancer; the others always do")
	c.Flags().StringVar(&out, "out", "", "folder for topologies.json, .md and .html (empty: standard output)")
	c.Flags().StringVar(&format, "format", "md", "json, md or html; with --out, that file alone")
	return c
}

// destination is where a report goes: to standard output in one format, or into
// a folder in all of them or one.
type destination struct {
	command              *cobra.Command
	stdout, stderr       io.Writer
	name, folder, format string
}

func (d destination) chosen() bool { return d.command.Flags().Changed("format") }

// check refuses a format that nobody knows.
func (d destination) check() error {
	if d.chosen() && !slices.Contains(report.Formats(), d.format) {
		return &usageError{fmt.Errorf("there is no format %q; there are: %s", d.format, strings.Join(report.Formats(), " "))}
	}
	return nil
}

// open makes the folder, before the minutes that follow.
func (d destination) open() error {
	if d.folder == "" {
		return nil
	}
	return os.MkdirAll(d.folder, 0o755)
}

func (d destination) write(write func(w io.Writer, format string) error) error {
	if d.folder == "" {
		return write(d.stdout, d.format)
	}
	formats := report.Formats()
	if d.chosen() {
		formats = []string{d.format}
	}
	for _, format := range formats {
		name := filepath.Join(d.folder, d.name+"."+format)
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := errors.Join(write(file, format), file.Close()); err != nil {
			return err
		}
		fmt.Fprintln(d.stderr, "wrote", name)
	}
	return nil
}
