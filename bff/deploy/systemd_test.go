package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/servers"
)

const unitFile = "systemd/cloakroom.service"

// analyze runs systemd's own checks of a unit whose program is there.
func analyze(t *testing.T, change func(string) string, args ...string) (string, error) {
	t.Helper()
	program := servers.Program(t, "systemd-analyze", "systemd")
	file := filepath.Join(t.TempDir(), filepath.Base(unitFile))
	if err := os.WriteFile(file, []byte(change(strings.Replace(unit(t), "/usr/local/bin/cloakroom", program, 1))), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, append(args, file)...).CombinedOutput()
	return string(out), err
}

func unit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheUnitIsOne: systemd knows every line of it, and grants it little.
func TestTheUnitIsOne(t *testing.T) {
	asItIs := func(text string) string { return text }
	if out, err := analyze(t, asItIs, "verify", "--man=no"); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	misspelt := func(text string) string { return strings.Replace(text, "NoNewPrivileges", "NoNewPriviledges", 1) }
	if out, _ := analyze(t, misspelt, "verify", "--man=no"); !strings.Contains(out, "NoNewPriviledges") {
		t.Errorf("a line that systemd does not know passes: %q", out)
	}
	// Its exposure is 1.2 of 10; the network and the host's root are the rest.
	if out, err := analyze(t, asItIs, "security", "--offline=yes", "--no-pager", "--threshold=15"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := analyze(t, func(text string) string { return strings.Replace(text, "DynamicUser=yes\n", "", 1) }, "security", "--offline=yes", "--no-pager", "--threshold=15"); err == nil {
		t.Error("as root it is no more exposed")
	}
}

var (
	environment = regexp.MustCompile(`(?m)^Environment="?(CLOAKROOM_[^"\n]*)"?$`)
	credential  = regexp.MustCompile(`(?m)^LoadCredential=([^:]+):`)
	stopTimeout = regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)s$`)
)

// TestTheUnitGivesCloakroomItsSecrets: with what the unit says, and the
// credentials where systemd puts them, a config without secrets is whole.
func TestTheUnitGivesCloakroomItsSecrets(t *testing.T) {
	dir := t.TempDir() // %d
	contents := map[string]string{
		"config":        "public_url: https://app.example.com\nprovider: {issuer: https://idp.example.com, client_id: app}\n",
		"client-secret": "not-a-secret-of-anybody", "session-key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n",
	}
	for _, found := range credential.FindAllStringSubmatch(unit(t), -1) {
		if err := os.WriteFile(filepath.Join(dir, found[1]), []byte(contents[found[1]]), 0o600); err != nil {
			t.Fatal(err)
		}
		delete(contents, found[1])
	}
	if len(contents) > 0 {
		t.Fatalf("the unit does not load %v", contents)
	}
	var environ []string
	for _, found := range environment.FindAllStringSubmatch(unit(t), -1) {
		environ = append(environ, strings.ReplaceAll(found[1], "%d", dir))
	}
	c, err := config.Load(filepath.Join(dir, "config"), environ)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings()) > 0 {
		t.Errorf("it is weak: %v", c.Warnings())
	}
	seconds, err := strconv.Atoi(string(bytes.Join(stopTimeout.FindSubmatch([]byte(unit(t)))[1:], nil)))
	if err != nil {
		t.Fatal(err)
	}
	if stop := time.Duration(seconds) * time.Second; stop <= c.DrainDelay+25*time.Second {
		t.Errorf("it is killed after %v, before a drain has ended", stop)
	}
}
