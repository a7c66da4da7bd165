package attack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cloakroom/bff/lab/report"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// mission is one attack on one strategy, and what came of it.
type mission struct {
	world    *strategy.World
	browser  Browser
	attacker *attacker
	target   lab.Strategy
	attack   string
	options  Options
	evidence lab.Evidence
}

// Options of a run. The zero value is right for a browser that a program drives.
type Options struct {
	// Observe is shown a cell as far as it has come, its verdict empty, whenever
	// a step was made, and once more when it is judged. It must return soon.
	Observe func(lab.Cell)
	// SignIn is how long the victim may take to sign in; 0: as long as a page
	// may take. In a Browser whose Run waits until the page is the
	// application's again, a person signs in.
	SignIn time.Duration
}

// run is each attack's own part, once the victim is signed in. An error means
// that the lab could not do it; what an attack comes to is evidence.
var run = map[string]func(*mission, context.Context) error{
	"A1": (*mission).theft, "A3": (*mission).newFlow, "A4": (*mission).proxying,
	"X1": (*mission).forgery, "X10": (*mission).replay,
}

// Run makes every one of attacks on every strategy of w, one after the other,
// and reports them in that order. It fails only if the attacker cannot be set
// up, or attacks has one that nobody knows.
func Run(ctx context.Context, w *strategy.World, b Browser, attacks []lab.Attack) (lab.Report, error) {
	return RunWith(ctx, w, b, attacks, Options{})
}

// RunWith is Run with options.
func RunWith(ctx context.Context, w *strategy.World, b Browser, attacks []lab.Attack, o Options) (lab.Report, error) {
	for _, a := range attacks {
		if run[a.ID] == nil {
			return lab.Report{}, fmt.Errorf("attack: there is no attack %q", a.ID)
		}
	}
	evil, err := newAttacker(w)
	if err != nil {
		return lab.Report{}, err
	}
	defer evil.close()
	var made lab.Report
	for _, s := range w.Strategies() {
		for _, a := range attacks {
			m := &mission{world: w, browser: b, attacker: evil, target: s, attack: a.ID, options: o}
			if err := m.make(ctx, a.ID); err != nil {
				m.evidence.Failed = err.Error()
			}
			made.Cells = append(made.Cells, lab.Cell{Strategy: s.ID, Attack: a.ID, Verdict: report.Judge(m.evidence), Evidence: m.evidence})
			m.observe(report.Judge(m.evidence))
		}
	}
	return made, nil
}

func (m *mission) make(ctx context.Context, attack string) error {
	if err := signIn(ctx, m.browser, m.world, m.target, cmp.Or(m.options.SignIn, patience)); err != nil {
		return err
	}
	m.evidence.SignedIn = true
	m.step("%s signed in at %s; the page showed the orders", strategy.Victim.Name, m.world.Origin(m.target.ID))
	return run[attack](m, ctx)
}

func (m *mission) step(format string, args ...any) {
	m.evidence.Steps = append(m.evidence.Steps, fmt.Sprintf(format, args...))
	m.observe("")
}

// observe shows a copy: the mission goes on.
func (m *mission) observe(v lab.Verdict) {
	if m.options.Observe == nil {
		return
	}
	e := m.evidence
	e.Steps, e.Taken, e.Answers, e.Changes = slices.Clone(e.Steps), slices.Clone(e.Taken), slices.Clone(e.Answers), slices.Clone(e.Changes)
	m.options.Observe(lab.Cell{Strategy: m.target.ID, Attack: m.attack, Verdict: v, Evidence: e})
}

// inject runs a payload in the victim's page and waits for its report.
func (m *mission) inject(ctx context.Context, payload string, parameters map[string]string) (message, error) {
	collector, arrived := m.attacker.expect()
	parameters["collector"] = collector
	if err := m.browser.Run(ctx, script(payload, parameters), nil); err != nil {
		return message{}, fmt.Errorf("attack: inject: %w", err)
	}
	got, err := await(ctx, arrived)
	if err != nil {
		return message{}, err
	}
	m.evidence.Finished = got.Error == ""
	m.step("payload %s.js ran in the page and reported to %s, by %s", payload, m.attacker.origin, got.By)
	if got.Error != "" {
		m.step("the payload could not do its part: %s", got.Error)
	}
	return got, nil
}

// spend notes what was taken, and has the attacker use every piece.
func (m *mission) spend(ctx context.Context, pieces []piece) error {
	for _, p := range pieces {
		m.evidence.Taken = append(m.evidence.Taken, p.loot())
	}
	m.observe("")
	for _, p := range pieces {
		if err := m.attacker.use(ctx, m.target, p, &m.evidence); err != nil {
			return err
		}
		m.observe("")
	}
	return nil
}
