package servers

import "os"

// HAProxy checks a configuration, which must not give rise to a warning, and
// runs it. env is what the configuration takes from the environment. ready is
// the address at which it listens then.
func HAProxy(t T, file string, env []string, ready string) *Process {
	t.Helper()
	c := Command{Program: "haproxy", Package: "haproxy", Env: append(os.Environ(), env...), Dir: Dir(t, nil), Ready: Accepts("tcp", ready)}
	c.Args = []string{"-c", "-dW", "-f", file} // -dW: a warning is an error
	check(t, c)
	c.Args = []string{"-db", "-f", file} // -db: in the foreground, one process
	return Start(t, c)
}
