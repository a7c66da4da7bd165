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
		Short: "Attack every way of keeping a session, and report what held",
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(compareStrategiesCommand(stdout, stderr))
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
			if c.Flags().Changed("format") && !slices.Contains(report.Formats(), format) {
				return &usageError{fmt.Errorf("there is no format %q; there are: %s", format, strings.Join(report.Formats(), " "))}
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
			if out != "" { // before the minutes that follow
				if err := os.MkdirAll(out, 0o755); err != nil {
					return err
				}
			}
			made, err := compare.Strategies(c.Context(), compare.Options{Choice: choice, Program: program, Version: buildVersion(), Progress: stderr})
			if errors.Is(err, context.Canceled) {
				return errors.New("stopped")
			}
			if err != nil {
				return err
			}
			if out == "" {
				return report.Write(stdout, format, made)
			}
			formats := report.Formats()
			if c.Flags().Changed("format") {
				formats = []string{format}
			}
			return writeReport(out, formats, made, stderr)
		},
	}
	c.Flags().StringSliceVar(&only, "only", nil, "IDs of strategies, attacks and properties, with commas (empty: all)")
	c.Flags().StringVar(&out, "out", "", "folder for strategies.json, .md and .html (empty: standard output)")
	c.Flags().StringVar(&format, "format", "md", "json, md or html; with --out, that file alone")
	return c
}

func writeReport(folder string, formats []string, made lab.Report, stderr io.Writer) error {
	for _, format := range formats {
		name := filepath.Join(folder, "strategies."+format)
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := errors.Join(report.Write(file, format, made), file.Close()); err != nil {
			return err
		}
		fmt.Fprintln(stderr, "wrote", name)
	}
	return nil
}
