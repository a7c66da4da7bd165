package servers

import (
	"os"
	"os/exec"
	"regexp"
)

// warns recognises what HAProxy, Nginx and Caddy call a warning.
var warns = regexp.MustCompile(`\[WARNING\]|\[warn\]|"level":"warn"|\tWARN\t`)

// check runs a server's own check of its configuration.
func check(t T, c Command) {
	t.Helper()
	cmd := exec.Command(Program(t, c.Program, c.Package), c.Args...)
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	out, err := cmd.CombinedOutput()
	if err != nil || warns.Match(out) {
		t.Fatalf("%s refuses its configuration, or warns of it: %v\n%s", c.Program, err, out)
	}
}
