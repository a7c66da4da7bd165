package live_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/live"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

func open(t *testing.T, cfg live.Config) *live.Lab {
	t.Helper()
	l, err := live.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// ask calls the lab as the demo's Cloakroom does.
func ask[T any](t *testing.T, l *live.Lab, method, path, body string, status int) (out T) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, l.Upstream()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, text, status)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return out
}

const order = `{"strategy": "local-storage", "attack": "A1"}`

// client reaches the lab's hosts, as the victim's browser does.
func client(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: (*strategy.World)(nil).Transport(), Jar: jar}
}

func get(t *testing.T, address, site string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", site)
	resp, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestTheBenchSaysWhatThereIsToTry(t *testing.T) {
	l := open(t, live.Config{Missing: func(s lab.Strategy) string {
		if s.ID == "indexeddb" {
			return "Install a database."
		}
		return ""
	}})
	bench := ask[lab.Bench](t, l, "GET", "", "", 200)
	if len(bench.Strategies) != len(lab.Strategies()) || len(bench.Attacks) != len(lab.Attacks()) || bench.User != strategy.Victim.Name || bench.Run != nil {
		t.Errorf("%+v", bench)
	}
	missing := map[string]string{}
	for _, s := range bench.Strategies {
		missing[s.ID] = s.Missing
	}
	if missing["local-storage"] != "" || missing["indexeddb"] != "Install a database." || missing["bff-memory"] == "" {
		t.Errorf("missing: %q", missing)
	}
	for _, a := range bench.Attacks {
		if len(a.Payloads) != len(attack.Payloads(a.ID)) {
			t.Errorf("%s shows %d payloads", a.ID, len(a.Payloads))
		}
	}
}

// What the demo's page says to the topologies passes the lab, which is in front.
func TestTheTopologiesAreBelowTheLab(t *testing.T) {
	l := open(t, live.Config{Topologies: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Method + " " + r.URL.RequestURI())
	})})
	below := strings.TrimPrefix(lab.PathPlay, lab.PathLive)
	for path, want := range map[string]string{"": "POST /", "play?after=3": "POST /play?after=3"} {
		if got := ask[string](t, l, "POST", below+path, "", 200); got != want {
			t.Errorf("%s arrives as %s", path, got)
		}
	}
	ask[problem.Details](t, open(t, live.Config{}), "POST", below, "", 404)
}

func TestOneRunAtATime(t *testing.T) {
	l := open(t, live.Config{})
	ask[problem.Details](t, l, "GET", "run?after=0", "", 404)
	first := ask[lab.Run](t, l, "POST", "run", order, 200)
	if first.Phase != lab.Waiting || !strings.HasPrefix(first.Open, "http://local-storage.lab.localhost:") {
		t.Fatalf("%+v", first)
	}
	if busy := ask[problem.Details](t, l, "POST", "run", order, 409); busy.Code != problem.LabBusy {
		t.Errorf("%+v", busy)
	}
	ask[any](t, l, "DELETE", "run", "", 204)
	if over := ask[lab.Run](t, l, "GET", "run?after=0", "", 200); over.Phase != lab.Cancelled || over.Cell.Verdict != "" || over.ID != first.ID {
		t.Errorf("%+v", over)
	}
	if second := ask[lab.Run](t, l, "POST", "run", order, 200); second.ID == first.ID || second.Seq <= first.Seq {
		t.Errorf("%+v after %+v", second, first)
	}
}

func TestWhatCannotBeRunIsRefused(t *testing.T) {
	l := open(t, live.Config{})
	for body, want := range map[string]problem.Code{
		`{"strategy": "bff-memory", "attack": "A1"}`:    problem.LabUnavailable, // nobody starts a Cloakroom
		`{"strategy": "nowhere", "attack": "A1"}`:       problem.ParameterInvalid,
		`{"strategy": "local-storage", "attack": "A9"}`: problem.ParameterInvalid,
		`{`: problem.BadRequest,
	} {
		if got := ask[problem.Details](t, l, "POST", "run", body, problem.Kinds[want].Status); got.Code != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
	if bench := ask[lab.Bench](t, l, "GET", "", "", 200); bench.Run != nil {
		t.Errorf("a refused run is there: %+v", bench.Run)
	}
}

// The port alone is no way in: any page can name it.
func TestTheLabIsWhereItsAddressSaysOnly(t *testing.T) {
	l := open(t, live.Config{})
	u, err := url.Parse(l.Upstream())
	if err != nil || u.Hostname() != "127.0.0.1" || len(u.Path) < 20 {
		t.Fatalf("%s: %v", l.Upstream(), err)
	}
	for _, path := range []string{"/", "/run", "/guess/"} {
		resp, err := http.Get("http://" + u.Host + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d", path, resp.StatusCode)
		}
	}
}

func TestTheTabIsTheFirstPageThatComes(t *testing.T) {
	l := open(t, live.Config{})
	run := ask[lab.Run](t, l, "POST", "run", order, 200)
	agent := strings.TrimSuffix(run.Open, "/") + strategy.AgentPath
	orders := agent + "orders?at=" + url.QueryEscape(run.Open)
	if resp := get(t, orders, "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site is answered %d", resp.StatusCode)
	}
	first := get(t, orders, "same-origin")
	lines := bufio.NewScanner(first.Body)
	lines.Scan()
	if resp := get(t, orders, "same-origin"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("a second tab is answered %d", resp.StatusCode)
	}
	// The first order is to forget all that was.
	var told string
	for lines.Scan() && told == "" {
		told, _ = strings.CutPrefix(lines.Text(), "data: ")
		if told == lines.Text() {
			told = ""
		}
	}
	var got struct{ Address string }
	if err := json.Unmarshal([]byte(told), &got); err != nil || got.Address != agent+"forget" {
		t.Fatalf("told %q: %v", told, err)
	}
	forget := get(t, got.Address, "same-origin")
	if text, _ := io.ReadAll(forget.Body); !strings.Contains(forget.Header.Get("Clear-Site-Data"), "storage") || !strings.Contains(string(text), strategy.AgentScript) {
		t.Errorf("%v %s", forget.Header, text)
	}
	if page, _ := io.ReadAll(get(t, run.Open, "none").Body); !strings.Contains(string(page), `src="`+strategy.AgentScript+`"`) {
		t.Errorf("the application's page has no agent: %s", page)
	}
	now := ask[lab.Run](t, l, "GET", "run?after=0", "", 200)
	if now.Phase != lab.Running || len(now.Tab) < 2 {
		t.Errorf("%+v", now)
	}
	_ = first.Body.Close()
}

func TestBetweenRunsNoPageGetsOrders(t *testing.T) {
	l := open(t, live.Config{})
	run := ask[lab.Run](t, l, "POST", "run", order, 200)
	ask[any](t, l, "DELETE", "run", "", 204)
	if resp := get(t, strings.TrimSuffix(run.Open, "/")+strategy.AgentPath+"orders", "same-origin"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("answered %d", resp.StatusCode)
	}
}
