package lab_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// With a defence taken away, the cell that rests on it breaks, and no other: so
// a verdict follows what happens, and each defence is seen at its work. What is
// taken away is taken between the browser and an unchanged Cloakroom, or at the
// provider. That all of them hold with nothing taken away, TestTheLabsVerdicts
// shows.
func TestADefenceTakenAwayFlipsItsCell(parent *testing.T) {
	v := newVictim(parent) // one browser for all: cookies know no port, but each cell begins with an empty origin
	for _, row := range []struct {
		name string
		cfg  strategy.Config
		want map[string]lab.Verdict
	}{
		{"HttpOnly, and with it the prefix that insists on it", strategy.Config{Between: readable()},
			map[string]lab.Verdict{"A1": lab.Broken, "A3": lab.Held, "X1": lab.Held}},
		{"the client's secret", strategy.Config{InsecurePublicBFF: true},
			map[string]lab.Verdict{"A1": lab.Held, "A3": lab.Broken, "X1": lab.Held}},
		{"SameSite alone", strategy.Config{Between: crossSite()},
			map[string]lab.Verdict{"A1": lab.Held, "A3": lab.Held, "X1": lab.Held}},
		{"the checks of header and origin alone", strategy.Config{Between: unguarded()},
			map[string]lab.Verdict{"A1": lab.Held, "A3": lab.Held, "X1": lab.Held}},
		{"all three layers against forgery", strategy.Config{Between: both(crossSite(), unguarded())},
			map[string]lab.Verdict{"A1": lab.Held, "A3": lab.Held, "X1": lab.Broken}},
	} {
		parent.Run(row.name, func(t *testing.T) {
			row.cfg.Strategies = pick(t, lab.FindStrategy, "bff-memory")
			w := openLab(t, row.cfg)
			made, err := attack.Run(t.Context(), w, v, pick(t, lab.FindAttack, "A1", "A3", "X1"))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]lab.Verdict{}
			for _, c := range made.Cells {
				got[c.Attack] = c.Verdict
			}
			if !maps.Equal(row.want, got) {
				evidence, _ := json.MarshalIndent(made, "", "  ")
				t.Errorf("got %v, want %v\n%s", got, row.want, evidence)
			}
		})
	}
}

// readable takes HttpOnly from the session cookie. Under its own name Chromium
// would refuse it then, so it gets another on the way.
func readable() strategy.Between {
	const plain = "cloakroom"
	return strategy.Between{
		Request: func(r *http.Request) {
			if cookies := r.Header.Get("Cookie"); cookies != "" {
				r.Header.Set("Cookie", strings.ReplaceAll(cookies, plain+"=", shared.CookieName+"="))
			}
		},
		Response: cookieLines(func(line string) string {
			if !strings.HasPrefix(line, shared.CookieName+"=") {
				return line
			}
			return strings.Replace(strings.Replace(line, shared.CookieName+"=", plain+"=", 1), "; HttpOnly", "", 1)
		}),
	}
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

func both(a, b strategy.Between) strategy.Between {
	return strategy.Between{Answer: b.Answer, Request: b.Request, Response: func(h http.Header) {
		a.Response(h)
		b.Response(h)
	}}
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
