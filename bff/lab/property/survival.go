package property

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

func (s *subject) reload(ctx context.Context, m *lab.Measure) error {
	if err := s.present(ctx); err != nil {
		return err
	}
	visits := len(s.world.Visits(0))
	state, err := s.open(ctx, s.browser)
	if err != nil {
		return err
	}
	note(m, "the victim was signed in, and the page was loaded again in the same tab")
	s.survived(m, state, s.asked(s.world.Visits(visits)))
	return nil
}

func (s *subject) newTab(ctx context.Context, m *lab.Measure) error {
	tabs, ok := s.browser.(attack.Tabs)
	if !ok {
		return errors.New("property: this browser has one tab only")
	}
	if err := s.present(ctx); err != nil {
		return err
	}
	tab, leave, err := tabs.NewTab(ctx)
	if err != nil {
		return fmt.Errorf("property: open a tab: %w", err)
	}
	defer leave()
	visits := len(s.world.Visits(0))
	state, err := s.open(ctx, tab)
	if err != nil {
		return err
	}
	note(m, "the victim was signed in, and the application was opened in a second tab of the same browser")
	s.survived(m, state, s.asked(s.world.Visits(visits)))
	s.in = true // in the first tab
	return nil
}

// browserRestart looks at what a restart left, which was made for all.
func (s *subject) browserRestart(ctx context.Context, m *lab.Measure) error {
	if s.restart != nil {
		return s.restart
	}
	visits := len(s.world.Visits(0))
	state, err := s.open(ctx, s.browser)
	if err != nil {
		return err
	}
	note(m, "the victim was signed in; the browser was closed in good order, started again with the same profile, and went to the application")
	s.survived(m, state, s.asked(s.world.Visits(visits)))
	return nil
}

func (s *subject) otherInstance(ctx context.Context, m *lab.Measure) error {
	if err := s.present(ctx); err != nil {
		return err
	}
	back, err := s.world.Another(s.strategy)
	if err != nil {
		return err
	}
	defer back()
	note(m, "the victim was signed in; then all requests to the application went to a second server with the same configuration, and the open page made its next call")
	return s.nextCall(ctx, m)
}

func (s *subject) serverRestart(ctx context.Context, m *lab.Measure) error {
	if err := s.present(ctx); err != nil {
		return err
	}
	if err := s.world.Restart(s.strategy); err != nil {
		return err
	}
	note(m, "the victim was signed in; the application's server was killed and started again, and the open page made its next call")
	return s.nextCall(ctx, m)
}

// nextCall finds whether the open page is still served.
func (s *subject) nextCall(ctx context.Context, m *lab.Measure) error {
	visits := len(s.world.Visits(0))
	state, err := s.again(ctx)
	if err != nil {
		return err
	}
	seen := s.world.Visits(visits)
	part := "had no part in it: its files are the same everywhere"
	for _, v := range seen {
		if s.ofApplication(v) {
			part = fmt.Sprintf("answered %d to %s", v.Status, v.Request())
		}
	}
	note(m, "the application's server %s", part)
	// A page that has its token from a server does not ask it with every call.
	if s.strategy.TokensInPage && !s.strategy.Public && state == stateIn {
		note(m, "the page had a token still, and was loaded again")
		if state, err = s.open(ctx, s.browser); err != nil {
			return err
		}
	}
	s.survived(m, state, s.asked(seen))
	return nil
}

// recovery is how long a store that is up again may take to be found.
const recovery = 30 * time.Second

func (s *subject) storeDown(ctx context.Context, m *lab.Measure) error {
	store, ok := s.world.Store(s.strategy.ID)
	if !ok {
		m.Missing = "it needs no store"
		return nil
	}
	if err := s.present(ctx); err != nil {
		return err
	}
	if err := store.Down(); err != nil {
		return fmt.Errorf("property: stop the store: %w", err)
	}
	visits := len(s.world.Visits(0))
	state, err := s.again(ctx)
	if up := store.Up(); up != nil {
		return errors.Join(err, fmt.Errorf("property: start the store: %w", up))
	}
	if err != nil {
		return err
	}
	status := s.statusOf(s.world.Visits(visits))
	note(m, "the victim was signed in; the store was stopped, and the page's next call was answered %d; %s", status, says(state))
	state, err = s.recovered(ctx, state)
	if err != nil {
		return err
	}
	s.in = state == stateIn
	note(m, "the store was started again with what it had; %s", says(state))
	if s.in {
		m.Finding = fmt.Sprintf("%d, then back", status)
	} else {
		m.Finding = fmt.Sprintf("%d, then signed out", status)
	}
	return nil
}

// recovered has the page call until it is answered, or told that it is signed
// out: by the browser's own doing, not by a sign-in.
func (s *subject) recovered(ctx context.Context, state string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	for state != stateIn && state != stateOut {
		select {
		case <-ctx.Done():
			return state, nil
		case <-time.After(200 * time.Millisecond):
		}
		var err error
		if state, err = s.open(ctx, s.browser); err != nil {
			return "", err
		}
	}
	return state, nil
}

// statusOf is what the application answered to the last call for the orders.
func (s *subject) statusOf(visits []strategy.Visit) (status int) {
	orders, _ := s.world.Orders(s.strategy)
	for _, v := range visits {
		if "http://"+v.Host+v.Path == orders {
			status = v.Status
		}
	}
	return status
}
