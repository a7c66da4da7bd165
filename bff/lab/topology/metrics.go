package topology

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"cloakroom/shared/lab"
)

// Metrics are what every server that runs says of itself, by its name.
type Metrics map[string]map[string]*dto.MetricFamily

// Metrics asks them all.
func (w *World) Metrics(ctx context.Context) (Metrics, error) {
	all := Metrics{}
	var errs []error
	for _, i := range w.list() {
		w.mu.Lock()
		up := i.state == lab.NodeUp
		w.mu.Unlock()
		if !up {
			continue
		}
		body, err := get(ctx, "http://"+i.admin+"/metrics")
		if err == nil {
			parser := expfmt.NewTextParser(model.UTF8Validation)
			all[i.name], err = parser.TextToMetricFamilies(bytes.NewReader(body))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("topology: metrics of %s: %w", i.name, err))
		}
	}
	return all, errors.Join(errs...)
}

// Sum adds a counter, a gauge, or a histogram's count up, over all servers and
// labels.
func (m Metrics) Sum(name string) (total float64) {
	for server := range m {
		total += m.Of(server, name)
	}
	return total
}

// Of is Sum of one server.
func (m Metrics) Of(server, name string) (total float64) {
	family, ok := m[server][name]
	if !ok {
		return 0
	}
	for _, one := range family.GetMetric() {
		switch {
		case one.Counter != nil:
			total += one.Counter.GetValue()
		case one.Gauge != nil:
			total += one.Gauge.GetValue()
		case one.Histogram != nil:
			total += float64(one.Histogram.GetSampleCount())
		}
	}
	return total
}

// Has reports whether some server counts that.
func (m Metrics) Has(name string) bool {
	for server := range m {
		if _, ok := m[server][name]; ok {
			return true
		}
	}
	return false
}
