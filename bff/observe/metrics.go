package observe

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the counters of one server, on a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	logins   *prometheus.CounterVec
	refresh  *prometheus.CounterVec
	store    *prometheus.HistogramVec
}

// NewMetrics registers everything that does not depend on the store.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cloakroom_http_request_duration_seconds", Help: "Time from request to the end of the answer, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_logins_total", Help: "Ends of sign-ins and sign-outs, by outcome: signed_in, signed_out or a problem code.",
		}, []string{"outcome"}),
		refresh: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_refreshes_total", Help: "Ends of token renewals, by outcome: renewed, shared, dead, failed, ended.",
		}, []string{"outcome"}),
	}
	m.store = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "cloakroom_store_call_duration_seconds", Help: "Calls of the session store, by operation and outcome: ok, failed, or refused while it is taken for down.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	}, []string{"op", "outcome"})
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "cloakroom_build_info", Help: "Always 1; the label says what runs.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.duration, m.logins, m.refresh, m.store, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Login counts the end of a sign-in or sign-out.
func (m *Metrics) Login(outcome string) { m.logins.WithLabelValues(outcome).Inc() }

// Refresh counts the end of a token renewal.
func (m *Metrics) Refresh(outcome string) { m.refresh.WithLabelValues(outcome).Inc() }

// StoreCall counts a call of the session store.
func (m *Metrics) StoreCall(op, outcome string, took time.Duration) {
	m.store.WithLabelValues(op, outcome).Observe(took.Seconds())
}

// NearCache reports on the local copies, read anew at every scrape.
func (m *Metrics) NearCache(stats func() (hits, misses, bytes float64)) {
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "cloakroom_near_cache_hits_total", Help: "Sessions answered from a local copy.",
		}, func() float64 { hits, _, _ := stats(); return hits }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "cloakroom_near_cache_misses_total", Help: "Sessions that had to be read from the store.",
		}, func() float64 { _, misses, _ := stats(); return misses }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloakroom_near_cache_bytes", Help: "Bytes the local copies take.",
		}, func() float64 { _, _, bytes := stats(); return bytes }),
	)
}

// StoreStats is what a store that keeps sessions itself tells of them.
type StoreStats struct {
	Sessions, Bytes, Evicted float64
}

// Store reports stats, read anew at every scrape.
func (m *Metrics) Store(stats func() StoreStats) {
	gauge := func(name, help string, value func(StoreStats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(stats()) })
	}
	m.registry.MustRegister(
		gauge("cloakroom_sessions", "Sessions kept, the expired that were not swept out yet included.", func(s StoreStats) float64 { return s.Sessions }),
		gauge("cloakroom_sessions_bytes", "Bytes the sessions take.", func(s StoreStats) float64 { return s.Bytes }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "cloakroom_sessions_evicted_total", Help: "Sessions that had to go for want of room, the longest idle first.",
		}, func() float64 { return stats().Evicted }),
	)
}

// StoreBytes reports what a store takes where the instances themselves keep it,
// asked at every scrape; NaN: it does not say.
func (m *Metrics) StoreBytes(bytes func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloakroom_store_bytes", Help: "Bytes that the sessions of all instances take, on each instance that keeps them.",
	}, bytes))
}

// Handler serves the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
