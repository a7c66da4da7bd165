package observe

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
)

// Check is one thing the server depends on.
type Check struct {
	Name string
	// Required: without it the server is not ready. Without one that is not
	// required it is degraded, which is named but keeps it in the pool: that
	// the provider is down is no reason to turn away those who are signed in.
	Required bool
	// Ready returns nil, or what is missing, without secrets.
	Ready func() error
}

// Health answers whether the server lives and whether it can serve.
type Health struct {
	checks   []Check
	draining atomic.Bool
}

// NewHealth returns a Health of checks.
func NewHealth(checks ...Check) *Health { return &Health{checks: checks} }

// Drain makes the server not ready, so that balancers turn elsewhere.
func (h *Health) Drain() { h.draining.Store(true) }

// Draining reports whether Drain was called.
func (h *Health) Draining() bool { return h.draining.Load() }

// Live answers /healthz: 200 while the process answers at all.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// state is the body of /readyz.
type state struct {
	Status string       `json:"status"` // "ready", "degraded", "unready" or "draining"
	Checks []checkState `json:"checks"`
}

type checkState struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	OK       bool   `json:"ok"`
	Missing  string `json:"missing,omitempty"`
}

// Ready answers /readyz: 200 when the server can serve, else 503, and in both
// cases what is missing.
func (h *Health) Ready(w http.ResponseWriter, _ *http.Request) {
	answer, status := state{Status: "ready", Checks: []checkState{}}, http.StatusOK
	for _, check := range h.checks {
		c := checkState{Name: check.Name, Required: check.Required, OK: true}
		if err := check.Ready(); err != nil {
			c.OK, c.Missing = false, Redact(err.Error())
			if check.Required {
				answer.Status, status = "unready", http.StatusServiceUnavailable
			} else if answer.Status == "ready" {
				answer.Status = "degraded"
			}
		}
		answer.Checks = append(answer.Checks, c)
	}
	if h.draining.Load() {
		answer.Status, status = "draining", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}
