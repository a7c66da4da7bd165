package attack

import (
	"cmp"
	"context"
	"crypto/rand"
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
	early    <-chan message // of a payload that is there before the victim is
	library  string         // where the attacker serves that payload
	item     string         // what it orders
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
	// Return has the attacker's own pages go on to the application once they have
	// reported: for a Browser that cannot leave any other page.
	Return bool
}

// plan is how an attack is made.
type plan struct {
	// before is done before the victim signs in, where that is needed; undo ends
	// it.
	before func(*mission) (undo func())
	// run is the attack's own part, once the victim is signed in. An error means
	// that the lab could not do it; what an attack comes to is evidence.
	run func(*mission, context.Context) error
	// payloads are the scripts it runs in the victim's browser, without .js.
	payloads []string
}

var plans = map[string]plan{
	"A1":        {run: (*mission).theft, payloads: []string{"theft"}},
	"A2":        {run: (*mission).persistent, payloads: []string{"persistent"}},
	"A3":        {run: (*mission).newFlow, payloads: []string{"newflow"}},
	"A4":        {run: (*mission).proxying, payloads: []string{"proxying"}},
	"X1":        {run: (*mission).crossSite, payloads: []string{"forgery"}},
	"X2":        {run: (*mission).sameSite, payloads: []string{"forgery"}},
	"X3":        {run: (*mission).tossing, payloads: []string{"tossing"}},
	"X4":        {run: (*mission).disk},
	"X5":        {before: dependency("poison"), run: (*mission).poison, payloads: []string{"poison", "poisoned"}},
	"X6":        {run: (*mission).unguarded, payloads: []string{"unregister", "newflow"}},
	"X7":        {run: (*mission).astray, payloads: []string{"astray"}},
	"X8":        {before: thirdParty("leak"), run: (*mission).leak, payloads: []string{"leak"}},
	"X9":        {before: dependency("instances"), run: (*mission).memory, payloads: []string{"instances", "memory"}},
	"X10":       {run: (*mission).replay},
	"fixation":  {run: (*mission).fixation},
	"tampering": {run: (*mission).tampering},
	"dump":      {run: (*mission).dump},
	"logout":    {before: dependency("poison"), run: (*mission).outlived, payloads: []string{"poison", "copying"}},
}

// dependency has the application load a payload of that name first of all, as
// a file of its own origin: a library that was taken over. No policy stops it.
func dependency(payload string) func(*mission) func() {
	return func(m *mission) func() {
		m.step("the application was delivered with payload %s.js in a library of its own", payload)
		return m.world.Infect(m.target.ID, strategy.Infection{
			Markup: `<script src="` + strategy.PathLibrary + `"></script>`, Library: script(payload, nil),
		})
	}
}

// thirdParty has the application's markup load a payload of that name from the
// attacker's origin: what a policy may forbid.
func thirdParty(payload string) func(*mission) func() {
	return func(m *mission) func() {
		var collector string
		collector, m.early = m.attacker.expect()
		m.item = gift + " " + rand.Text()
		m.library = m.attacker.publish("text/javascript", script(payload, map[string]string{"collector": collector, "item": m.item}))
		m.step("the application's markup asked for a script of %s", m.attacker.origin)
		return m.world.Infect(m.target.ID, strategy.Infection{Markup: `<script src="` + m.attacker.origin + m.library + `"></script>`})
	}
}

// Run makes every one of attacks on every strategy of w, one after the other,
// and reports them in that order. It fails only if the attacker cannot be set
// up, or attacks has one that nobody knows.
func Run(ctx context.Context, w *strategy.World, b Browser, attacks []lab.Attack) (lab.Report, error) {
	var made lab.Report
	for _, s := range w.Strategies() {
		for _, a := range attacks {
			c, err := Cell(ctx, w, b, s, a, Options{})
			if err != nil {
				return lab.Report{}, err
			}
			made.Cells = append(made.Cells, c)
		}
	}
	return made, nil
}

// Cell makes one attack on one strategy of w, as Run does.
func Cell(ctx context.Context, w *strategy.World, b Browser, s lab.Strategy, a lab.Attack, o Options) (lab.Cell, error) {
	if plans[a.ID].run == nil {
		return lab.Cell{}, fmt.Errorf("attack: there is no attack %q", a.ID)
	}
	evil, err := newAttacker(w)
	if err != nil {
		return lab.Cell{}, err
	}
	defer evil.close()
	m := &mission{world: w, browser: b, attacker: evil, target: s, attack: a.ID, options: o}
	if err := m.make(ctx, a.ID); err != nil {
		m.evidence.Failed = err.Error()
	}
	verdict := report.Judge(m.evidence)
	m.observe(verdict)
	return lab.Cell{Strategy: s.ID, Attack: a.ID, Verdict: verdict, Evidence: m.evidence}, nil
}

func (m *mission) make(ctx context.Context, attack string) error {
	plan := plans[attack]
	if plan.before != nil {
		defer plan.before(m)()
	}
	if err := signIn(ctx, m.browser, m.world, m.target, cmp.Or(m.options.SignIn, patience)); err != nil {
		return err
	}
	m.evidence.SignedIn = true
	m.step("%s signed in at %s; the page showed the orders", strategy.Victim.Name, m.world.Origin(m.target.ID))
	return plan.run(m, ctx)
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

func (m *mission) change(format string, args ...any) {
	m.evidence.Changes = append(m.evidence.Changes, fmt.Sprintf(format, args...))
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
