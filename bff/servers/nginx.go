package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// nginxMain is what a package or an image has around a configuration: the files
// of this server are in its own folder. It is one process, since a master that
// is killed would leave its workers behind.
const nginxMain = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include cloakroom.conf;
}
`

// Nginx puts env into a template of the http section by envsubst, checks the
// outcome, which must not give rise to a warning, and runs it. ready is the
// address at which it listens then.
func Nginx(t T, template string, env []string, ready string) *Process {
	t.Helper()
	dir := Dir(t, nil)
	text, err := os.Open(template)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	var names strings.Builder
	for _, variable := range env {
		name, _, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&names, "${%s} ", name)
	}
	subst := exec.Command(Program(t, "envsubst", "gettext-base"), names.String())
	subst.Env, subst.Stdin = append(os.Environ(), env...), text
	site, err := subst.Output()
	if err != nil {
		t.Fatalf("envsubst: %v", err)
	}
	main := filepath.Join(dir, "nginx.conf")
	for path, content := range map[string][]byte{main: []byte(nginxMain), filepath.Join(dir, "cloakroom.conf"): site} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Command{Program: "nginx", Package: "nginx", Dir: dir, Ready: Accepts("tcp", ready)}
	c.Args = []string{"-p", dir, "-c", main, "-t"}
	check(t, c)
	c.Args = []string{"-p", dir, "-c", main}
	return Start(t, c)
}
