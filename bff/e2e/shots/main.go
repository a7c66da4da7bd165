// Shots takes a picture of every page of the demo in every state, light and
// dark, narrow and wide, for people to look at:
//
//	cd bff/e2e && go run ./shots -out DIR
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloakroom/bff/e2e/stage"
)

func main() {
	out := flag.String("out", "shots", "folder for the pictures; made if it is not there")
	only := flag.String("only", "", "scenes to draw, with commas between; empty means all")
	flag.Parse()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the demo's provider logs there
	if err := run(*out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "shots:", err)
		os.Exit(1)
	}
}

func run(out, only string) (err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	shoot := &session{folder: out}
	defer func() {
		if stopped, ok := recover().(fatal); ok {
			err = stopped
		}
	}()
	defer shoot.clean()
	for _, scene := range scenes {
		if only != "" && !slices.Contains(strings.Split(only, ","), scene.name) {
			continue
		}
		scene.play(shoot)
		shoot.clean()
	}
	fmt.Printf("%d pictures in %s\n", shoot.taken, out)
	return nil
}

// session is the stage.T of a program: what would fail a test ends it.
type session struct {
	folder  string
	taken   int
	cleanup []func()
	failed  bool
}

var _ stage.T = (*session)(nil)

type fatal struct{ error }

func (s *session) Helper()             {}
func (s *session) Failed() bool        { return s.failed }
func (s *session) Cleanup(f func())    { s.cleanup = append(s.cleanup, f) }
func (s *session) Logf(string, ...any) {}

func (s *session) Errorf(format string, args ...any) {
	s.failed = true
	fmt.Fprintf(os.Stderr, "shots: "+format+"\n", args...)
}

func (s *session) Fatalf(format string, args ...any) {
	s.failed = true
	panic(fatal{fmt.Errorf(format, args...)})
}

// clean ends what was begun, the last first.
func (s *session) clean() {
	for len(s.cleanup) > 0 {
		last := len(s.cleanup) - 1
		f := s.cleanup[last]
		s.cleanup = s.cleanup[:last]
		f()
	}
}

// take makes four pictures of the page as it is.
func (s *session) take(tab *stage.Tab, name string) {
	for _, width := range []int{360, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			tab.Look(width, 800, scheme == "dark")
			tab.Wait(`document.fonts.status === "loaded"`)
			tab.Eval(`(scrollTo(0, 0), 1)`, nil) // or what is fixed above the page is in the picture
			tab.Screenshot(filepath.Join(s.folder, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)))
			s.taken++
		}
	}
	tab.Look(1280, 800, false)
}
