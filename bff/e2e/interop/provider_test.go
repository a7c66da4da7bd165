package interop_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/e2e/stage"
)

// provider is a running provider.mjs.
type provider struct {
	port int
	log  lockedBuffer // what it writes to standard error
	stop func()       // ends it; all its events are in afterwards

	mu     sync.Mutex
	events []event
}

// event is what the package tells of itself.
type event struct {
	Ready  int    `json:"ready"`
	Event  string `json:"event"`
	Grant  string `json:"grant"`
	Client string `json:"client"`
	Auth   string `json:"auth"`
	Error  string `json:"error"`
}

func startProvider(t *testing.T, options map[string]any) *provider {
	t.Helper()
	if _, err := os.Stat("provider/node_modules/oidc-provider"); err != nil {
		t.Fatal(`oidc-provider is not installed: run "make provider"`)
	}
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{}
	cmd := exec.Command("node", "provider.mjs", string(text))
	cmd.Dir = "provider"
	cmd.Stderr = &p.log
	input, err := cmd.StdinPipe() // it ends when this does, even if the test is killed
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("the provider does not start: %v", err)
	}
	ready, read := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			var e event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("the provider's output is not JSON: %v", err)
				continue
			}
			if e.Ready != 0 {
				ready <- e.Ready
				continue
			}
			p.mu.Lock()
			p.events = append(p.events, e)
			p.mu.Unlock()
		}
	}()
	p.stop = sync.OnceFunc(func() {
		_ = input.Close()
		select {
		case <-read:
		case <-time.After(stage.Patience):
			t.Error("the provider did not end by itself")
			_ = cmd.Process.Kill()
			<-read
		}
		_ = cmd.Wait()
	})
	t.Cleanup(p.stop)
	select {
	case p.port = <-ready:
	case <-read:
		t.Fatalf("the provider ended at once:\n%s", p.log.String())
	case <-time.After(stage.Patience):
		t.Fatalf("the provider does not get ready:\n%s", p.log.String())
	}
	return p
}

// told lists the events of some names so far.
func (p *provider) told(names ...string) []event {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []event
	for _, e := range p.events {
		for _, name := range names {
			if e.Event == name {
				list = append(list, e)
			}
		}
	}
	return list
}
