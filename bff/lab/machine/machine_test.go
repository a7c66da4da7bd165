package machine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"cloakroom/bff/lab/machine"
	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

func open(t *testing.T, program string) *machine.Machine {
	t.Helper()
	m := machine.New(t.Context(), program, os.Stderr)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestACloakroomIsAProcessOfItsOwnAndComesBackAtItsAddress(t *testing.T) {
	t.Setenv("CLOAKROOM_SESSION_STORE", "of another Cloakroom") // it would not start with that
	m := open(t, servers.Build(t, "", "./bff", "cloakroom"))
	s, _ := lab.FindStrategy("bff-memory")
	var server strategy.Server
	w, err := strategy.Open(strategy.Config{Strategies: []lab.Strategy{s}, Cloakroom: func(config []byte) (started strategy.Server, err error) {
		started, err = m.Cloakroom(config)
		server = started
		return started, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	client := &http.Client{Transport: w.Transport()}
	answers := func() { // often enough to be seen by a clock of 10 ms
		t.Helper()
		for range 500 {
			resp, err := client.Get(w.Origin(s.ID) + "/")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("it answers %d", resp.StatusCode)
			}
		}
	}
	answers()
	address, spent := server.Address(), server.CPU()
	if spent <= 0 {
		t.Errorf("it used %v of processor time", spent)
	}
	if resident, err := server.Memory(); err != nil || resident < 1<<20 || resident > 1<<30 {
		t.Errorf("it has %d bytes resident: %v", resident, err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	answers()
	if server.Address() != address || server.CPU() <= spent {
		t.Errorf("after a restart: %s and %v, before: %s and %v", server.Address(), server.CPU(), address, spent)
	}
}

func TestACloakroomThatDoesNotStartSaysWhy(t *testing.T) {
	m := open(t, servers.Build(t, "", "./bff", "cloakroom"))
	if _, err := m.Cloakroom([]byte("public_url: nonsense\n")); err == nil || !strings.Contains(err.Error(), "public_url") {
		t.Errorf("it says: %v", err)
	}
}

func TestAStoreHasAfterAnOutageWhatItHadBefore(t *testing.T) {
	m := open(t, "")
	for kind, use := range map[string]struct {
		put, get func(url string) (string, error)
	}{
		"redis": {
			func(url string) (string, error) { return redis(url, "SET", "key", "needle-in-the-store") },
			func(url string) (string, error) { return redis(url, "GET", "key") },
		},
		"postgres": {
			func(url string) (string, error) {
				return query(url, `CREATE TABLE t AS SELECT 'needle-in-the-store' AS v`, `SELECT v FROM t`)
			},
			func(url string) (string, error) { return query(url, `SELECT v FROM t`) },
		},
	} {
		s, err := m.Store(kind)
		if err != nil {
			t.Fatal(err)
		}
		before, err := s.Size()
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if _, err := use.put(s.URL()); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if after, err := s.Size(); err != nil || after <= before {
			t.Errorf("%s: from %d to %d bytes: %v", kind, before, after, err)
		}
		found := 0
		for piece := range s.Dump() {
			found += bytes.Count(piece, []byte("needle-in-the-store"))
		}
		if found == 0 {
			t.Errorf("%s: what it holds is not in its dump", kind)
		}
		if err := s.Down(); err != nil {
			t.Fatal(err)
		}
		if _, err := use.get(s.URL()); err == nil {
			t.Errorf("%s answers while it is down", kind)
		}
		if err := s.Up(); err != nil {
			t.Fatal(err)
		}
		if got, err := use.get(s.URL()); got != "needle-in-the-store" {
			t.Errorf("%s: then it has %q: %v", kind, got, err)
		}
	}
	if _, err := m.Store("etcd"); err == nil || !strings.Contains(err.Error(), "postgres") {
		t.Errorf("a store nobody knows: %v", err)
	}
}

// redis sends a command inline, as a person would (RESP), and reads the last
// line of the answer.
func redis(url string, words ...string) (string, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "redis://"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "%s\r\nQUIT\r\n", strings.Join(words, " ")); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	text := strings.TrimSuffix(string(answer), "\r\n+OK\r\n") // of QUIT
	return text[strings.LastIndex(text, "\n")+1:], err
}

func query(url string, statements ...string) (got string, err error) {
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements[:len(statements)-1] {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			return "", err
		}
	}
	err = conn.QueryRow(context.Background(), statements[len(statements)-1]).Scan(&got)
	return got, err
}
