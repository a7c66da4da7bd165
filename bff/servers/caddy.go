package servers

import (
	"os"
	"slices"
)

// Caddy checks a Caddyfile, which must not give rise to a warning, and runs it.
// It is built from the module in the folder caddy, which nothing else depends
// on. env is what the file takes from the environment. ready is the address at
// which it listens then.
func Caddy(t T, file string, env []string, ready string) *Process {
	t.Helper()
	dir := Dir(t, nil)
	c := Command{
		Program: Build(t, "bff/servers/caddy", ".", "caddy"), Dir: dir, Ready: Accepts("tcp", ready),
		Env: slices.Concat(os.Environ(), []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, env),
	}
	c.Args = []string{"validate", "--adapter", "caddyfile", "--config", file}
	check(t, c)
	c.Args = []string{"run", "--adapter", "caddyfile", "--config", file}
	return Start(t, c)
}
