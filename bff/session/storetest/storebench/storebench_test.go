package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
)

// tiny is a measurement that shows that all is there, and no more.
var tiny = []string{"-sessions", "500", "-working-set", "50", "-callers", "4", "-time", "50ms", "-fill", "1m"}

// TestEveryFigureIsThere goes the whole way, on a store in the process and on
// one with a disk. Nothing runs beside it: the bytes of the first are what this
// process has in RAM.
func TestEveryFigureIsThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "made", "stores.json")
	var out, progress bytes.Buffer
	if err := run(t.Context(), append(tiny, "-only", "sqlite,memory", "-json", file), &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Machine.CPU == "unknown" || got.Machine.System == "unknown" || got.Machine.Load == "" || got.Machine.Kernel == "" {
		t.Errorf("the machine is %+v", got.Machine)
	}
	if len(got.Stores) != 2 || got.Stores[0].Name != "memory" || got.Stores[1].Name != "sqlite" {
		t.Fatalf("measured %+v", got.Stores)
	}
	for _, row := range got.Stores {
		if row.Sessions != 500 || row.Create.Calls != 500 || row.Version == "" {
			t.Errorf("%s: %d sessions from %d calls, version %q", row.Name, row.Sessions, row.Create.Calls, row.Version)
		}
		if row.BytesPerSession < 2400 { // as it is shortened
			t.Errorf("%s: %.0f bytes a session, which has more of its own", row.Name, row.BytesPerSession)
		}
		for name, f := range map[string]figures{"Get": row.Get, "Update": row.Update, "Create": row.Create} {
			if f.Calls == 0 || f.PerSecond == 0 || f.P99 == 0 || f.CPUOurs == 0 {
				t.Errorf("%s: %s is %+v", row.Name, name, f)
			}
			if f.CPUServer != 0 {
				t.Errorf("%s: %s costs %v µs on a server it has not", row.Name, name, f.CPUServer)
			}
		}
		if !strings.Contains(out.String(), "| "+row.Label+" |") {
			t.Errorf("the table has no %s:\n%s", row.Label, &out)
		}
	}
}

// TestAServersShareIsMeasured: the other half of the processor time.
func TestAServersShareIsMeasured(t *testing.T) {
	t.Parallel()
	p := plan{sessions: 3000, working: 50, callers: 4, time: 50 * time.Millisecond, fill: time.Minute}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == "redis" })
	got, err := p.measure(t.Context(), kinds[i], io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got.Create.CPUServer == 0 || got.BytesPerSession < 3500 {
		t.Errorf("%+v", got)
	}
}

// TestWhatCannotBeMeasuredIsSaid: no table with a hole in it, and a sentence
// that says what to do.
func TestWhatCannotBeMeasuredIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		name string
		ctx  context.Context
		args []string
		want string
	}{
		{"a server that is not installed", t.Context(), []string{"-only", "memory,redis"}, "redis: redis-server is not installed: apt-get install redis-server"},
		{"a store that is none", t.Context(), []string{"-only", "memory,abacus"}, `there is no store "abacus"; -help lists them`},
		{"a store named twice", t.Context(), []string{"-only", "memory,memory"}, `there is no store "memory"; -help lists them`},
		{"half a table for the README", t.Context(), []string{"-only", "memory", "-readme", "README.md"}, "-readme needs every store, so not -only"},
		{"nobody who calls", t.Context(), []string{"-callers", "0"}, "-sessions, -working-set, -callers, -time and -fill must be more than nothing"},
		{"a word too many", t.Context(), []string{"redis"}, `"redis" is not a flag`},
		{"a stop", ended, []string{"-only", "memory"}, "stopped"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(row.ctx, append(slices.Clone(tiny), row.args...), &out, io.Discard)
			if err == nil || err.Error() != row.want {
				t.Errorf("run = %v, want %s", err, row.want)
			}
			if out.Len() > 0 {
				t.Errorf("a table all the same:\n%s", &out)
			}
		})
	}
}

func TestHelpNamesEveryStoreAndFlag(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("run = %v", err)
	}
	for _, k := range kinds {
		if !strings.Contains(help.String(), "\n  "+k.name+" ") {
			t.Errorf("-help does not name %s:\n%s", k.name, &help)
		}
	}
	for _, name := range []string{"only", "json", "readme", "sessions", "working-set", "callers", "time", "fill"} {
		if !strings.Contains(help.String(), "\n  -"+name+" ") {
			t.Errorf("-help does not name -%s:\n%s", name, &help)
		}
	}
}

// forgetful answers with something else than it was given.
type forgetful struct{ *memory.Store }

func (f forgetful) Get(ctx context.Context, id session.ID) (session.Record, error) {
	r, err := f.Store.Get(ctx, id)
	if len(r.Data) > 0 {
		r.Data[0]++
	}
	return r, err
}

// TestAWrongAnswerIsNotMeasured: speed with wrong data is none.
func TestAWrongAnswerIsNotMeasured(t *testing.T) {
	t.Parallel()
	p := plan{sessions: 10, working: 10, callers: 2, time: time.Second, fill: time.Minute}
	wrong := kind{name: "forgetful", open: func(s *stage) home {
		store, err := memory.New(memory.Config{})
		s.Must(err)
		return home{Store: forgetful{store}, bytes: func(context.Context) (int64, error) { return 0, nil }}
	}}
	if _, err := p.measure(t.Context(), wrong, io.Discard); err == nil || !strings.Contains(err.Error(), "does not come back as it was stored") {
		t.Errorf("measure = %v", err)
	}
}

// TestAQuantileIsRightToThreePercent against the sorted durations themselves.
func TestAQuantileIsRightToThreePercent(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, scale := range []int64{1, 60, 1000, int64(time.Millisecond), int64(time.Hour)} {
		var one, other histogram
		var all []time.Duration
		for i := range 10_000 {
			d := time.Duration(random.Int64N(scale))
			all = append(all, d)
			[]*histogram{&one, &other}[i%2].add(d)
		}
		one.merge(&other)
		slices.Sort(all)
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			exact := all[min(int(q*float64(len(all))), len(all)-1)]
			if got := one.quantile(q); got <= exact || float64(got) > float64(exact)*(1+1./32)+1 {
				t.Errorf("of durations up to %v the quantile %v is %v, not %v", time.Duration(scale), q, exact, got)
			}
		}
	}
}
