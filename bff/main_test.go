package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"cloakroom/bff/servers"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cloakroom": main})
}

// TestCommands runs the scripts of testdata/script, which read as what a user
// types and sees.
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"PORT", "ADMIN_PORT"} {
				env.Setenv(name, strconv.Itoa(servers.FreePort(t))) // one that no outgoing connection takes
			}
			program, _, _ := strings.Cut(env.Getenv("PATH"), string(os.PathListSeparator))
			env.Setenv("CLOAKROOM", filepath.Join(program, "cloakroom"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"get": get},
	})
}

// get asks a URL until its status and body are as wanted, for ten seconds:
//
//	get URL STATUS [REGEXP]
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: get URL STATUS [REGEXP]")
	}
	want := regexp.MustCompile("")
	if len(args) > 2 {
		want = regexp.MustCompile(args[2])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	last := ""
	for ctx.Err() == nil {
		resp, err := http.Get(args[0])
		if err != nil {
			last = err.Error()
			if !errors.Is(err, syscall.ECONNREFUSED) {
				break
			}
			continue // it is starting
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		last = fmt.Sprintf("%d %s", resp.StatusCode, body)
		if fmt.Sprint(resp.StatusCode) == args[1] && want.Match(body) {
			return
		}
	}
	ts.Fatalf("%s: got %s, want %s %s", args[0], last, args[1], want)
}
