package collector

import (
	"log/slog"
	"math"
	"runtime/debug"
	"testing"
)

func TestTheCollectorSuitsAProxyUnlessTheEnvironmentDecides(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	for name, row := range map[string]struct {
		environ []string
		before  int64
		percent int
		bounded bool
	}{
		"nothing is said":           {nil, math.MaxInt64, collectAt, true},
		"GOGC is":                   {[]string{"GOGC=50"}, math.MaxInt64, 100, true}, // as the runtime has read it
		"GOMEMLIMIT is":             {[]string{"GOMEMLIMIT=1GiB"}, 1 << 30, collectAt, true},
		"both are":                  {[]string{"GOGC=50", "GOMEMLIMIT=1GiB"}, 1 << 30, 100, true},
		"GOMEMLIMIT takes it away":  {[]string{"GOMEMLIMIT=off"}, math.MaxInt64, 100, false},
		"another variable is alike": {[]string{"XGOGC=50", "GOGCX=1"}, math.MaxInt64, collectAt, true},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetGCPercent(100)
			debug.SetMemoryLimit(row.before)
			for _, pair := range row.environ {
				if len(pair) > 11 && pair[:11] == "GOMEMLIMIT=" {
					t.Setenv("GOMEMLIMIT", pair[11:])
				}
			}
			Fit(row.environ, 0, slog.New(slog.DiscardHandler))
			if got := debug.SetGCPercent(100); got != row.percent {
				t.Errorf("GOGC is %d, want %d", got, row.percent)
			}
			got := debug.SetMemoryLimit(-1)
			if (got < math.MaxInt64) != row.bounded {
				t.Errorf("the limit is %d, bounded must be %v", got, row.bounded)
			}
			if row.before < math.MaxInt64 && got != row.before {
				t.Errorf("the limit is %d, the environment said %d", got, row.before)
			}
		})
	}
}
