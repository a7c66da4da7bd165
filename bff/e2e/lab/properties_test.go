package lab_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/property"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// measure finds the properties of some strategies, and logs each with how long
// it took.
func measure(t *testing.T, cfg strategy.Config, ids ...string) map[string]lab.Measure {
	t.Helper()
	cfg.Strategies = pick(t, lab.FindStrategy, ids...)
	w, b, last := openLab(t, cfg), newVictim(t), time.Now()
	all, err := property.Measure(t.Context(), w, b, nil, nil, func(m lab.Measure) {
		t.Logf("%-20s %-16s %s%s%s (%v)\n%s", m.Strategy, m.Property, m.Finding, m.Missing, m.Failed, time.Since(last).Round(time.Millisecond), strings.Join(m.Steps, "\n"))
		last = time.Now()
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := len(ids) * len(lab.Properties()); len(all) != want {
		t.Errorf("%d measures, want %d", len(all), want)
	}
	found := map[string]lab.Measure{}
	for _, m := range all {
		found[m.Strategy+" "+m.Property] = m
	}
	return found
}

// TestPropertiesAreMeasured holds what is measured of a page with tokens, of
// one that keeps them for good, of a BFF in memory and of one in cookies to
// what cannot be otherwise.
func TestPropertiesAreMeasured(t *testing.T) {
	found := measure(t, strategy.Config{}, "js-memory", "local-storage", "cookie-jwe", "bff-memory")
	for what, want := range map[string]string{
		"js-memory reload":              "no",
		"js-memory new-tab":             "no",
		"js-memory browser-restart":     "no",
		"js-memory other-instance":      "yes", // its server has no part in it
		"js-memory server-restart":      "yes",
		"js-memory cpu":                 "none",
		"js-memory latency":             "none",
		"js-memory memory":              "none",
		"js-memory logout":              "until the access token expires",
		"local-storage reload":          "yes",
		"local-storage new-tab":         "yes",
		"local-storage browser-restart": "yes",
		"cookie-jwe reload":             "yes",
		"cookie-jwe new-tab":            "yes",
		"cookie-jwe other-instance":     "yes",
		"cookie-jwe server-restart":     "yes",
		"cookie-jwe logout":             "at once where it ended, elsewhere until the access token expires",
		"bff-memory reload":             "yes",
		"bff-memory new-tab":            "yes",
		"bff-memory other-instance":     "no",
		"bff-memory server-restart":     "no",
		"bff-memory logout":             "at once",
	} {
		if got := found[what]; got.Finding != want {
			t.Errorf("%s: %q, want %q: %+v", what, got.Finding, want, got)
		}
	}
	for what, m := range found {
		property, _ := lab.FindProperty(m.Property)
		switch {
		case m.Failed != "":
			t.Errorf("%s: %s", what, m.Failed)
		case m.Missing != "" && m.Property != "store-down":
			t.Errorf("%s: there is nothing to measure: %s", what, m.Missing)
		case m.Missing == "" && (m.Finding == "" || len(m.Steps) == 0):
			t.Errorf("%s: %q, by nothing", what, m.Finding)
		case m.Missing == "" && (m.Number != nil) != (property.Unit != ""):
			t.Errorf("%s: its number is %v, in %q", what, m.Number, property.Unit)
		}
		if text := strings.Join(append(m.Steps, m.Finding), "\n"); strings.Contains(text, "eyJ") {
			t.Errorf("%s has a token in it", what)
		}
	}
	number := func(what string) float64 {
		if n := found[what].Number; n != nil {
			return *n
		}
		return -1
	}
	if ticket, sealed := number("bff-memory wire"), number("cookie-jwe wire"); ticket < 100 || sealed < 2*ticket {
		t.Errorf("a call with a ticket has %.0f bytes, one with a session %.0f", ticket, sealed)
	}
	if page, sealed := number("local-storage largest"), number("cookie-jwe largest"); sealed < 1<<10 || page <= sealed {
		t.Errorf("localStorage takes %.0f bytes, cookies take %.0f", page, sealed)
	}
	for _, id := range []string{"cookie-jwe", "bff-memory"} {
		if cpu := number(id + " cpu"); cpu < 10 || cpu > 100_000 {
			t.Errorf("%s: %.0f µs of CPU a call", id, cpu)
		}
	}
	if exp := number("js-memory logout"); exp < 60 || exp > 600 {
		t.Errorf("a copied token is good for %.0f s", exp)
	}
}

// TestAStoreThatIsDownIsMeasured is for those that have one.
func TestAStoreThatIsDownIsMeasured(t *testing.T) {
	found := measure(t, strategy.Config{}, "bff-redis")
	for what, want := range map[string]string{
		"store-down": "503, then back", "other-instance": "yes", "server-restart": "yes", "logout": "at once",
	} {
		if got := found["bff-redis "+what]; got.Finding != want {
			t.Errorf("%s: %q, want %q: %+v", what, got.Finding, want, got)
		}
	}
	if m := found["bff-redis memory"]; m.Number == nil || *m.Number < 1000 || *m.Number > 100_000 {
		t.Errorf("a session takes %+v", m)
	}
}

// TestAPropertyFollowsWhatHappens: in a world whose servers do not restart, and
// have no second instance with the same keys, and whose browser cannot be
// restarted, what rested on them comes out otherwise.
func TestAPropertyFollowsWhatHappens(t *testing.T) {
	s := pick(t, lab.FindStrategy, "cookie-jwe")
	var started int
	w := openBroken(t, s, func(config []byte) []byte {
		if started++; started > 1 { // another key: nobody shares anything
			return []byte(strings.Replace(string(config), "id: lab-1", "id: lab-2", 1))
		}
		return config
	})
	b := newVictim(t)
	all, err := property.Measure(t.Context(), w, oneTab{b}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		switch m.Property {
		case "other-instance":
			if m.Finding != "no" {
				t.Errorf("an instance with other keys: %+v", m)
			}
		case "logout":
			if m.Finding != "at once" {
				t.Errorf("with no other instance that opens it: %+v", m)
			}
		case "server-restart":
			if !strings.Contains(m.Failed, errNoRestart.Error()) || m.Finding != "" {
				t.Errorf("a server that does not restart: %+v", m)
			}
		case "new-tab", "browser-restart":
			if m.Failed == "" || m.Finding != "" {
				t.Errorf("a browser that cannot: %+v", m)
			}
		case "reload":
			if m.Finding != "yes" {
				t.Errorf("what nothing was done to: %+v", m)
			}
		}
	}
}

var errNoRestart = errors.New("it does not restart")

// oneTab is a browser without anything that an attack can do without.
type oneTab struct{ attack.Browser }

// stubborn is a server that does not restart.
type stubborn struct{ strategy.Server }

func (stubborn) Restart() error { return errNoRestart }

// openBroken is openLab with stubborn servers whose configuration is edited.
func openBroken(t *testing.T, strategies []lab.Strategy, edit func([]byte) []byte) *strategy.World {
	t.Helper()
	m := newMachine(t)
	return openWorld(t, strategy.Config{Strategies: strategies, Cloakroom: func(config []byte) (strategy.Server, error) {
		server, err := m.Cloakroom(edit(config))
		return stubborn{server}, err
	}})
}
