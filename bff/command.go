package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"cloakroom/bff/collector"
	"cloakroom/bff/config"
	"cloakroom/bff/observe"
	"cloakroom/bff/server"
)

// version is set by the build; without it, the module's own is used.
var version = ""

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// configError carries the problems of a config, one a line.
type configError struct{ err error }

func (e *configError) Error() string { return e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

// refused is err of a config that does not load, with the likely reason when no
// file was named.
func refused(file string, err error) error {
	if file == "" {
		err = fmt.Errorf("%w\nno --config was given, so only the environment was read", err)
	}
	return &configError{err}
}

func newCommand(environ []string, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "cloakroom",
		Short:         "Keeps OAuth tokens out of the browser",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s -h", err, c.CommandPath())}
	})
	root.AddCommand(demoCommand(stdout, stderr), serveCommand(environ, stderr), checkCommand(environ, stdout),
		compareCommand(stdout, stderr), keygenCommand(stdout), versionCommand(stdout))
	for _, c := range root.Commands() {
		c.Args = noArgs
	}
	root.RunE = func(c *cobra.Command, args []string) error { return c.Help() }
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return &usageError{fmt.Errorf("there is no command %q; see cloakroom -h", args[0])}
		}
		return nil
	}
	return root
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Errorf("%q is one word too many; see %s -h", args[0], c.CommandPath())}
	}
	return nil
}

func demoCommand(stdout, stderr io.Writer) *cobra.Command {
	var listen string
	var verbose bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the application, an OpenID Provider and an API on one loopback port",
		RunE: func(c *cobra.Command, _ []string) error {
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelInfo
			}
			log := newLogger(stderr, level, config.LogText)
			lab, err := openLab(c.Context(), log, stderr)
			if err != nil {
				return err
			}
			demo, err := server.OpenDemo(server.DemoOptions{Listen: listen, Log: log, Version: buildVersion(), Lab: lab.upstream, Guest: lab.guest})
			if err != nil {
				return errors.Join(takenHint(err), lab.end())
			}
			return errors.Join(demo.Run(c.Context(), func(admin string) { greet(stdout, demo, admin) }), lab.end())
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of all three, loopback only")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log every request to standard error")
	return c
}

func greet(out io.Writer, demo *server.Demo, admin string) {
	fmt.Fprintf(out, "\n  Cloakroom is open:  %s\n\n", demo.Origin)
	for _, user := range demo.IDP.Users() {
		fmt.Fprintf(out, "  sign in as   %-7s with password  %s\n", user.Name, user.Password)
	}
	fmt.Fprintf(out, "\n  the lab      %s/lab\n  topologies   %s/lab/topologies\n  provider     %s\n  API          %s  (proxied under %s/api/)\n  health       %s/readyz\n  metrics      %s/metrics\n\n  Ctrl-C stops it.\n\n",
		demo.Origin, demo.Origin, demo.IDPOrigin, demo.APIOrigin, demo.Origin, admin, admin)
}

// takenHint tells what to do about a port that somebody else has.
func takenHint(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nstop the other program, or choose another port: cloakroom demo --listen 127.0.0.1:8081", err)
	}
	return err
}

func serveCommand(environ []string, stderr io.Writer) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the BFF of a config, in front of your own provider and APIs",
		Long:  "Run the BFF of a config, in front of your own provider and APIs.\n\nEvery key of the file can be given as CLOAKROOM_SECTION_KEY in the environment, which wins.",
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := config.Load(file, environ)
			if err != nil {
				return refused(file, err)
			}
			lines := observe.HoldLines(stderr)
			defer func() { _ = lines.Flush() }()
			log := newLogger(lines, loaded.Log.Level, loaded.Log.Format)
			var kept int64 // sessions are kept outside the Go heap
			if loaded.Session.Store == config.StoreMemory {
				kept = loaded.Session.MaxBytes
			}
			collector.Fit(environ, kept, log)
			for _, warning := range loaded.Warnings() {
				log.Warn("weak configuration", "warning", warning)
			}
			s, err := server.New(loaded, server.Options{Log: log, Version: buildVersion()})
			if err != nil {
				return err
			}
			if len(loaded.Session.Keys) > 0 {
				go followKeys(c.Context(), loaded.Session.Keys, func() (*config.Config, error) { return config.Load(file, environ) }, s.ReplaceKeys, log)
			}
			return s.Run(c.Context(), nil)
		},
	}
	configFlag(c, &file)
	return c
}

func checkCommand(environ []string, stdout io.Writer) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a config and list every problem at once",
		Long:  "Check a config, with what the environment adds, and list every problem at once. It connects to nothing.\nThe exit status is 2 when there is a problem; a warning is none.",
		RunE: func(*cobra.Command, []string) error {
			loaded, err := config.Load(file, environ)
			if err != nil {
				return refused(file, err)
			}
			for _, warning := range loaded.Warnings() {
				fmt.Fprintln(stdout, "warning:", warning)
			}
			fmt.Fprintln(stdout, "ok")
			return nil
		},
	}
	configFlag(c, &file)
	return c
}

func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "config", "", "YAML file (empty: the environment says everything)")
}

func keygenCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "keygen",
		Short: "Print a new key for session.keys",
		Long:  "Print a new key for session.keys. Put it first in the list: it seals within half a minute, and the others still open.\nWhere instances get their list further apart than that, put it second, and first once all have it.",
		RunE: func(*cobra.Command, []string) error {
			id, key := config.GenerateKey(time.Now())
			_, err := fmt.Fprintf(stdout, "- id: %s\n  secret: %s\n", id, key.Reveal())
			return err
		},
	}
}

// newLogger makes the logger of this process, for the libraries that log on
// their own too, so that everything is redacted.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	log := observe.NewLogger(w, level, format)
	slog.SetDefault(log)
	return log
}

func versionCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(stdout, "cloakroom", buildVersion())
			return err
		},
	}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
				return setting.Value[:12]
			}
		}
	}
	return "development"
}
