package main

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// TestWhatServesSharesNothingWithTheLab: not a line of it, or of what measures, is
// in reach of what "cloakroom serve" runs.
func TestWhatServesSharesNothingWithTheLab(t *testing.T) {
	imports := map[string][]string{}
	for _, p := range listPackages(t, nil) {
		imports[p.path] = p.imports
	}
	seen := map[string]bool{}
	for todo := []string{"bff/server", "bff/config", "bff/observe"}; len(todo) > 0; todo = todo[1:] {
		path := todo[0]
		if seen[path] {
			continue
		}
		seen[path] = true
		if strings.HasPrefix(path, "bff/lab/") || strings.HasPrefix(path, "bff/bench") || path == "bff/servers" {
			t.Errorf("%s is in reach of what serves", path)
		}
		todo = append(todo, imports[path]...)
	}
	if len(seen) < 10 {
		t.Errorf("only %v were looked at", seen)
	}
}

// TestServingStartsNothingElse: two listeners, as the config says, no other
// process, and none that can be started.
func TestServingStartsNothingElse(t *testing.T) {
	dir := t.TempDir()
	public, admin := servers.Address(servers.FreePort(t)), servers.Address(servers.FreePort(t))
	config := filepath.Join(dir, "cloakroom.yaml")
	text := "public_url: http://localhost:8080\nlisten: " + public + "\nadmin_listen: " + admin +
		"\nprovider: {issuer: \"http://localhost:9\", client_id: app, client_secret: secret}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := servers.Start(t, servers.Command{
		Program: servers.Build(t, "", "./bff", "cloakroom"), Args: []string{"serve", "--config", config}, Dir: dir,
		Ready: servers.Accepts("tcp", public),
	})
	for host, want := range map[string][]int{"localhost:8080": {http.StatusNotFound, http.StatusMethodNotAllowed}, lab.PlayHost + ":8080": {http.StatusMisdirectedRequest}} {
		for _, path := range []string{lab.PathLive, lab.PathPlay, lab.PathPlay + "play"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+public+path, strings.NewReader(`{"topology": "memory-1"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if !slices.Contains(want, response.StatusCode) {
				t.Errorf("%s%s answers %d: there is a lab", host, path, response.StatusCode)
			}
		}
	}
	got := p.Listening()
	want := []netip.AddrPort{netip.MustParseAddrPort(public), netip.MustParseAddrPort(admin)}
	slices.SortFunc(got, netip.AddrPort.Compare)
	slices.SortFunc(want, netip.AddrPort.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("it listens on %v, want %v", got, want)
	}
	if children := p.Children(); len(children) > 0 {
		t.Errorf("it started %v", children)
	}
}
