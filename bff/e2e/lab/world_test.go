package lab_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/storage"

	"cloakroom/bff/config"
	"cloakroom/bff/e2e/stage"
	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/server"
	"cloakroom/shared/lab"
)

// openLab opens a world of the lab with a real Cloakroom in front where one
// belongs. The lab itself knows nothing of Cloakroom but its address.
func openLab(t *testing.T, cfg strategy.Config) *strategy.World {
	t.Helper()
	cfg.Cloakroom = func(file []byte) (strategy.Server, error) {
		loaded, err := config.Parse("lab", file, nil)
		if err != nil {
			return nil, err
		}
		made, err := server.New(loaded, server.Options{})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- made.Work(ctx) }()
		front := httptest.NewServer(made.Handler())
		t.Cleanup(func() {
			front.Close()
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Cloakroom's background work: %v", err)
			}
		})
		stage.Until(t, stage.Patience, "Cloakroom to be ready", func() bool {
			w := httptest.NewRecorder()
			made.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			return w.Code == http.StatusOK
		})
		return inProcess(front.Listener.Addr().String()), nil
	}
	cfg.Store = func(kind string) (strategy.Store, error) { return openStore(t, kind) }
	w, err := strategy.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return w
}

// inProcess is the address of a Cloakroom in this process.
type inProcess string

func (p inProcess) Address() string        { return string(p) }
func (p inProcess) Restart() error         { return errors.ErrUnsupported }
func (p inProcess) CPU() time.Duration     { return 0 }
func (p inProcess) Memory() (int64, error) { return 0, errors.ErrUnsupported }

// victim is the browser the lab's payloads run in.
type victim struct{ tab *stage.Tab }

var _ attack.Browser = (*victim)(nil)

// newVictim starts a Chromium that lets windows open, as after a click.
func newVictim(t *testing.T, w *strategy.World) *victim {
	t.Helper()
	b := (&stage.Stage{Origin: w.Issuer()}).BrowserWith(t, stage.BrowserOptions{Flags: map[string]any{"disable-popup-blocking": true}})
	b.Forgive(func(stage.Message) bool { return true }) // attacks that fail are errors by nature
	return &victim{b.NewTab(t)}
}

func (v *victim) Go(_ context.Context, address string) error { return v.tab.TryGo(address) }

func (v *victim) Run(_ context.Context, expression string, out any) error {
	return v.tab.TryEval(expression, out)
}

func (v *victim) Cookies(_ context.Context, origin string) ([]*http.Cookie, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	var list []*http.Cookie
	for _, c := range v.tab.Cookies() {
		if c.Domain == u.Hostname() {
			list = append(list, &http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	return list, nil
}

func (v *victim) Forget(_ context.Context, origin string) error {
	stage.Do(v.tab, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: origin, StorageTypes: "all"})
	return nil
}

// pick finds strategies and attacks by ID.
func pick[T any](t *testing.T, find func(string) (T, bool), ids ...string) []T {
	t.Helper()
	var list []T
	for _, id := range ids {
		one, ok := find(id)
		if !ok {
			t.Fatalf("there is no %q", id)
		}
		list = append(list, one)
	}
	return list
}

// cell finds one cell of a report.
func cell(t *testing.T, r lab.Report, strategy, attack string) lab.Cell {
	t.Helper()
	for _, c := range r.Cells {
		if c.Strategy == strategy && c.Attack == attack {
			return c
		}
	}
	t.Fatalf("there is no cell %s, %s", strategy, attack)
	return lab.Cell{}
}
