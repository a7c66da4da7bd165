package property

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// subject is one strategy while it is looked at.
type subject struct {
	world    *strategy.World
	browser  attack.Browser
	strategy lab.Strategy
	in       bool // the tab in front is the application's, and signed in
	calls    *calls
	restart  error // of the browser
}

// way is how a property is found. An error means that the lab could not do it.
type way struct {
	property string
	measure  func(*subject, context.Context, *lab.Measure) error
}

// What changes nothing comes before the browser is restarted; what costs the
// session comes last.
var (
	before = []way{
		{"wire", (*subject).wire}, {"reload", (*subject).reload}, {"new-tab", (*subject).newTab},
		{"cpu", (*subject).cpu}, {"latency", (*subject).latency}, {"memory", (*subject).memory},
	}
	after = []way{
		{"browser-restart", (*subject).browserRestart}, {"other-instance", (*subject).otherInstance},
		{"server-restart", (*subject).serverRestart}, {"store-down", (*subject).storeDown},
		{"logout", (*subject).logout}, {"largest", (*subject).largest},
	}
)

// Measure finds the properties of the strategies, which must be of w; nil: all
// of them, of either. progress, unless it is nil, is told of each as it is found; they are
// returned strategy by strategy, in the order of lab.Properties. The error is
// ctx's: what else goes wrong is in the measure that it kept from being made.
func Measure(ctx context.Context, w *strategy.World, b attack.Browser, strategies []lab.Strategy, properties []lab.Property, progress func(lab.Measure)) ([]lab.Measure, error) {
	if strategies == nil {
		strategies = w.Strategies()
	}
	if properties == nil {
		properties = lab.Properties()
	}
	found := map[[2]string]lab.Measure{}
	look := func(s *subject, ways []way) {
		for _, way := range ways {
			if ctx.Err() != nil {
				return
			}
			if !slices.ContainsFunc(properties, func(p lab.Property) bool { return p.ID == way.property }) {
				continue
			}
			m := lab.Measure{Strategy: s.strategy.ID, Property: way.property}
			if err := way.measure(s, ctx, &m); err != nil {
				m.Finding, m.Number, m.Failed = "", nil, err.Error()
				s.in = false
			}
			found[[2]string{m.Strategy, m.Property}] = m
			if progress != nil {
				progress(m)
			}
		}
	}
	var subjects []*subject
	for _, strategy := range strategies {
		s := &subject{world: w, browser: b, strategy: strategy}
		subjects = append(subjects, s)
		look(s, before)
		if err := s.present(ctx); err != nil {
			s.restart = err
		}
	}
	restart := restart(ctx, b)
	for _, s := range subjects {
		s.restart, s.in = errors.Join(s.restart, restart), false
		look(s, after)
	}
	var measures []lab.Measure
	for _, s := range strategies {
		for _, p := range lab.Properties() {
			if m, ok := found[[2]string{s.ID, p.ID}]; ok {
				measures = append(measures, m)
			}
		}
	}
	return measures, ctx.Err()
}

func restart(ctx context.Context, b attack.Browser) error {
	profile, ok := b.(attack.Profile)
	if !ok {
		return errors.New("property: this browser cannot be restarted")
	}
	return profile.Restart(ctx, func(string) error { return nil })
}

// note adds a step.
func note(m *lab.Measure, format string, args ...any) {
	m.Steps = append(m.Steps, fmt.Sprintf(format, args...))
}

// is sets the finding to a number.
func is(m *lab.Measure, number float64, format string, args ...any) {
	m.Number, m.Finding = &number, fmt.Sprintf(format, args...)
}
