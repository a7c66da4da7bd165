package playtest_test

import (
	"fmt"
	"strings"
	"testing"

	"cloakroom/bff/lab/play/playtest"
	"cloakroom/shared/lab"
)

// recorder is a T that only listens.
type recorder []string

func (*recorder) Helper()                             {}
func (r *recorder) Errorf(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

// Each fact fails a play in which it is not so, and none fails one in which all
// is.
func TestAPlayThatIsOtherwiseFails(t *testing.T) {
	fine := func(p *lab.Played) {}
	lost := func(n int) func(*lab.Played) { return func(p *lab.Played) { p.Lost = n } }
	answers := func(o lab.Outcomes) func(*lab.Played) { return func(p *lab.Played) { p.Requests = o } }
	wrong := func(r lab.Rule) func(*lab.Played) {
		return func(p *lab.Played) { p.Wrongs = []lab.Wrong{{Rule: r, Saw: "it", Times: 1}} }
	}
	for _, row := range []struct {
		topology, event string
		change          func(*lab.Played)
		fails           string // a part of what is said; empty: nothing is
	}{
		{"redis-n-round-robin", lab.Steady, fine, ""},
		{"redis-n-round-robin", lab.Steady, answers(lab.Outcomes{Served: 99, Refused: 1}), "nobody notices"},
		{"redis-n-round-robin", lab.Steady, answers(lab.Outcomes{}), "nobody looked"},
		{"redis-n-round-robin", lab.Steady, func(p *lab.Played) { p.Failed = "no port" }, "not played"},
		{"redis-n-round-robin", lab.Steady, wrong(lab.NotAnother), "another-user"},
		{"redis-n-round-robin", lab.Steady, wrong(lab.NotBack), "signed-out"},
		{"redis-n-round-robin", lab.Steady, wrong(lab.Not5xx), "undeclared-5xx"},
		{"memory-n-round-robin", lab.Steady, answers(lab.Outcomes{Served: 33, Refused: 67}), ""},
		{"memory-n-round-robin", lab.Steady, answers(lab.Outcomes{Served: 50, Refused: 50}), "(N-1)/N"},
		{"memory-n-round-robin", lab.Steady, fine, "(N-1)/N"},
		{"memory-n-sticky-lb-cookie", lab.KillApp, lost(8), ""},
		{"memory-n-sticky-lb-cookie", lab.KillApp, lost(0), "sticky holds"},
		{"memory-n-sticky-lb-cookie", lab.KillApp, lost(24), "sticky holds"},
		{"memory-1", lab.KillApp, lost(24), ""},
		{"memory-1", lab.KillApp, lost(23), "dies with it"},
		{"memory-n-sticky-app-cookie", lab.Rolling, lost(23), "a deploy ends"},
		{"file-1", lab.KillApp, lost(1), "outlives its servers"},
		{"sql-n-round-robin", lab.KillApp, lost(1), "outlives its servers"},
		{"sql-n-round-robin", lab.Rolling, answers(lab.Outcomes{Served: 99, Declared: 1}), "fails no request"},
		{"sql-n-round-robin", lab.Rolling, answers(lab.Outcomes{Served: 99, Failed: 1}), "fails no request"},
		{"memory-n-replicated", lab.Rolling, answers(lab.Outcomes{Served: 99, Declared: 1}), ""},
		{"sql-n-round-robin", lab.RestartStore, lost(1), "on a disk"},
		{"memcached-n-round-robin", lab.KillStore, lost(24), ""},
		{"memcached-n-round-robin", lab.KillStore, lost(0), "memcached does not"},
		{"redis-cluster-n", lab.Failover, lost(1), "a failover loses"},
		{"redis-cluster-n", lab.FlushStore, lost(24), ""},
		{"redis-cluster-n", lab.FlushStore, lost(0), "a flush ends"},
		{"cookie-n-round-robin", lab.FlushStore, wrong(lab.NotBack), ""},
		{"cookie-n-round-robin", lab.FlushStore, fine, "a denylist that is flushed"},
		{"cookie-n-round-robin", lab.KillStore, wrong(lab.NotBack), "signed-out"},
		{"document-n", lab.CutStore, lost(1), "cut from the store"},
		{"redis-n-round-robin", lab.FullStore, lost(1), "memory is full"},
		{"redis-n-round-robin", lab.RotateKeys, answers(lab.Outcomes{Served: 99, Refused: 1}), "keys are rotated"},
		{"redis-n-round-robin", lab.AddApp, answers(lab.Outcomes{Served: 99, Refused: 1}), "a further server"},
		{"redis-n-round-robin", lab.ProviderDown, answers(lab.Outcomes{Served: 99, Declared: 1}), "needs no provider"},
	} {
		topology, ok := lab.FindTopology(row.topology)
		if !ok {
			t.Fatalf("there is no %s", row.topology)
		}
		p := lab.Played{Topology: row.topology, Event: row.event, Sessions: 24, Requests: lab.Outcomes{Served: 100}}
		row.change(&p)
		var said recorder
		playtest.Check(&said, topology, 3, p)
		if all := strings.Join(said, "\n"); row.fails == "" && all != "" || !strings.Contains(all, row.fails) {
			t.Errorf("%s, %s: want %q said, got %q", row.topology, row.event, row.fails, all)
		}
	}
}
