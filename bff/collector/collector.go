// Package collector suits the garbage collector to a proxy.
//
// It owns how large the heap may become and when it is gone through. The
// environment's GOGC and GOMEMLIMIT stand above it.
package collector

import (
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Nearly all that a call leaves behind is garbage, and little lives: with a cycle
// when the heap is five times what lived, instead of twice, collecting costs a
// third. What may be used at all is bounded by what there is.
const (
	collectAt   = 400  // GOGC
	memoryRatio = 0.75 // GOMEMLIMIT, of the memory of the cgroup or else the machine
)

// Fit suits the collector to this process. GOGC and GOMEMLIMIT in the environment
// decide instead. outside is memory in bytes that the collector does
// not see. Where no bound can be found nothing is changed: the
// bound is what makes it safe.
func Fit(environ []string, outside int64, log *slog.Logger) {
	limit := debug.SetMemoryLimit(-1)
	if !isSet(environ, "GOMEMLIMIT") {
		var err error
		limit, err = memlimit.Set(memlimit.WithRatio(memoryRatio),
			memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
		if err != nil || limit == math.MaxInt64 {
			log.Info("memory is not bounded", "cause", err)
			return
		}
		limit = max(limit-outside, limit/4)
		debug.SetMemoryLimit(limit)
	}
	if limit < math.MaxInt64 && !isSet(environ, "GOGC") {
		debug.SetGCPercent(collectAt)
	}
	log.Info("memory", "limit_mib", limit>>20)
}

func isSet(environ []string, name string) bool {
	return slices.ContainsFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
}
