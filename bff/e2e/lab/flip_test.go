package lab_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// flips are the attacks that the defences of a BFF keep out, neighbours those
// that are looked at beside what should break where time is short.
var (
	flips      = []string{"A1", "A3", "X1", "X2", "X3", "X8", "fixation"}
	neighbours = []string{"A1", "X1"}
)

// With a defence taken away, the cells that rest on it break, and no others: so
// a verdict follows what happens, and each defence is seen at its work. What is
// taken away is taken between the browser and an unchanged Cloakroom, or at the
// provider. That all of them hold with nothing taken away, TestTheLabsVerdicts
// shows. With the environment variable LAB_RUNS every attack is made on each.
func TestADefenceTakenAwayFlipsItsCell(parent *testing.T) {
	v := newVictim(parent) // one browser for all: cookies know no port, but each cell begins with an empty origin
	for _, row := range []struct {
		name   string
		cfg    strategy.Config
		broken []string // the others hold
	}{
		{"nothing", strategy.Config{}, nil},
		{"HttpOnly alone", strategy.Config{Between: readable()}, []string{"A1"}},
		{"the prefix of the cookies' names", strategy.Config{Between: renamed("cloakroom")}, []string{"X3", "fixation"}},
		{"the policy on scripts", strategy.Config{Between: lawless()}, []string{"X8"}},
		{"the client's secret", strategy.Config{InsecurePublicBFF: true}, []string{"A3"}},
		{"SameSite alone", strategy.Config{Between: crossSite()}, nil},
		{"the checks of header and origin alone", strategy.Config{Between: unguarded()}, []string{"X2"}},
		{"SameSite and the checks of header and origin", strategy.Config{Between: both(crossSite(), unguarded())}, []string{"X1", "X2"}},
	} {
		parent.Run(row.name, func(t *testing.T) {
			row.cfg.Strategies = pick(t, lab.FindStrategy, "bff-memory")
			w := openLab(t, row.cfg)
			tried := flips
			if _, whole := os.LookupEnv("LAB_RUNS"); !whole {
				tried = slices.DeleteFunc(slices.Clone(flips), func(id string) bool {
					return !slices.Contains(row.broken, id) && !slices.Contains(neighbours, id)
				})
			}
			made, err := attack.Run(t.Context(), w, v, pick(t, lab.FindAttack, tried...))
			if err != nil {
				t.Fatal(err)
			}
			got, want := map[string]lab.Verdict{}, map[string]lab.Verdict{}
			for _, id := range tried {
				want[id] = lab.Held
			}
			for _, id := range row.broken {
				want[id] = lab.Broken
			}
			for _, c := range made.Cells {
				got[c.Attack] = c.Verdict
			}
			if !maps.Equal(want, got) {
				evidence, _ := json.MarshalIndent(made, "", "  ")
				t.Errorf("got %v, want %v\n%s", got, want, evidence)
			}
		})
	}
}

// renamed gives Cloakroom's cookies names that begin with another word on the
// way: a prefix is a promise that the browser enforces, and that a name without
// it does not make.
func renamed(word string) strategy.Between {
	return strategy.Between{
		Request: func(r *http.Request) {
			var pairs []string
			for pair := range strings.SplitSeq(r.Header.Get("Cookie"), "; ") {
				if rest, ok := strings.CutPrefix(pair, word); ok {
					pair = shared.CookieName + rest
				}
				pairs = append(pairs, pair)
			}
			if r.Header.Get("Cookie") != "" {
				r.Header.Set("Cookie", strings.Join(pairs, "; "))
			}
		},
		Response: cookieLines(func(line string) string {
			if rest, ok := strings.CutPrefix(line, shared.CookieName); ok {
				return word + rest
			}
			return line
		}),
	}
}

// readable takes HttpOnly from the session cookie. Under its own name Chromium
// would refuse it then, so it gets one that promises all the rest.
func readable() strategy.Between {
	return both(renamed("__Host-cloakroom"), strategy.Between{Response: cookieLines(func(line string) string {
		return strings.Replace(line, "; HttpOnly", "", 1)
	})})
}

// lawless takes the policy on what a page may load away.
func lawless() strategy.Between {
	return strategy.Between{Response: func(h http.Header) { h.Del("Content-Security-Policy") }}
}

// crossSite lets the session cookie go along with what other sites send.
func crossSite() strategy.Between {
	return strategy.Between{Response: cookieLines(func(line string) string {
		return strings.Replace(line, "; SameSite=Strict", "; SameSite=None", 1)
	})}
}

// unguarded lends every call the header and hides where it comes from, approves
// of every preflight and reader, and takes any text for JSON: a server that
// checks nothing.
func unguarded() strategy.Between {
	allow := func(h http.Header, origin string) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Allow-Headers", "Content-Type, "+shared.HeaderCSRF)
		h.Del("Cross-Origin-Resource-Policy")
	}
	return strategy.Between{
		Answer: func(w http.ResponseWriter, r *http.Request) bool {
			origin := r.Header.Get("Origin")
			if origin != "" {
				allow(w.Header(), origin)
			}
			return r.Method == http.MethodOptions
		},
		Request: func(r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/api/") {
				return
			}
			for _, name := range []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
				r.Header.Del(name)
			}
			r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
			if r.Method == http.MethodPost {
				r.Header.Set("Content-Type", "application/json")
			}
		},
		Response: func(h http.Header) { h.Del("Cross-Origin-Resource-Policy") },
	}
}

// both alters by a, and then by b.
func both(a, b strategy.Between) strategy.Between {
	return strategy.Between{
		Answer: b.Answer,
		Request: func(r *http.Request) {
			for _, one := range []strategy.Between{a, b} {
				if one.Request != nil {
					one.Request(r)
				}
			}
		},
		Response: func(h http.Header) {
			for _, one := range []strategy.Between{a, b} {
				if one.Response != nil {
					one.Response(h)
				}
			}
		},
	}
}

// cookieLines edits each Set-Cookie.
func cookieLines(edit func(string) string) func(http.Header) {
	return func(h http.Header) {
		lines := h.Values("Set-Cookie")
		for i := range lines {
			lines[i] = edit(lines[i])
		}
	}
}
