package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// presets are the usage that the flags have by themselves.
func presets(t *testing.T) usage {
	t.Helper()
	var u usage
	u.fields(func(_, preset, _ string, value any) {
		switch value := value.(type) {
		case *float64:
			*value = number(preset)
		case *time.Duration:
			var err error
			if *value, err = time.ParseDuration(preset); err != nil {
				t.Fatal(err)
			}
		}
	})
	return u
}

// measured is a model over round figures.
func measured(t *testing.T) *model {
	t.Helper()
	in := &inputs{found: map[string]figure{}}
	for id, value := range map[string]float64{
		"Call/memory cpu-us/op": 50, "Call/memory rss-B": 1e8, "Call/redis cpu-us/op": 60, "Call/redis store-us/op": 8, "Call/redis-near cpu-us/op": 50,
		"Call/jwe cpu-us/op": 55, "Call/jwe-first cpu-us/op": 90, "SignIn/cpu": 600, "Push/redis/server": 8, "Push/redis/instance": 10,
		"record bytes": 4000, "ticket cookie bytes": 65, "sealed cookie bytes": 5400,
		"topology/redis-n-round-robin round trips": 1, "topology/sql-n-round-robin round trips": 1, "topology/memory-n-replicated round trips": 1, awayID: 4,
	} {
		in.put(id, value, "", "the test")
	}
	for i, name := range []string{"memory", "redis", "postgres", "nats-cluster"} {
		for _, what := range storeColumns {
			in.putStore(name, what, float64(5+10*i), float64(10*i), "the test")
		}
		in.put("store/"+name+" bytes", 5000, "B", "the test")
	}
	return &model{usage: presets(t), in: in, ceilings: ceilings{Instance: .6, Store: .6, ProviderMay: .6}}
}

func about(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= .01*math.Abs(want)) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestAMillionSessionsByHand does the sum that the model does.
func TestAMillionSessionsByHand(t *testing.T) {
	t.Parallel()
	m := measured(t)
	r := m.rates(1e6)
	about(t, "calls", r.Calls, 1e6*.1*6/60)
	about(t, "touches", r.Touches, 1e6*.1/90)
	about(t, "renewals", r.Renewals, 1e6/(300+60/.1))
	about(t, "sign-ins", r.SignIns, 1e6/28800.)
	about(t, "writes", r.Writes, r.Touches+2*r.Renewals+r.SignIns)

	n := m.need(find("redis"), 1e6)
	about(t, "cores of instances", n.InstanceCores, 1e-6*(r.Calls*60+r.Writes*15+r.SignIns*15+(r.Renewals+r.SignIns)*600))
	about(t, "cores of Redis", n.StoreCores, 1e-6*(r.Calls*8+(r.Writes+r.SignIns)*10))
	about(t, "GB of Redis", n.StoreGB, 5)
	about(t, "Gbit/s with Redis", n.StoreGbit, 8e-9*4000*(r.Calls+r.Writes+r.SignIns))
	about(t, "Gbit/s from browsers", n.UpGbit, 8e-9*r.Calls*765)
	about(t, "Gbit/s from browsers with sealed cookies", m.need(find("cookie"), 1e6).UpGbit, 8e-9*r.Calls*6100)

	about(t, "shards for 10 M", m.need(find("redis-cluster"), 1e7).Shards, math.Ceil(50/(16*.75)))
	about(t, "what misses a near cache", m.missRate(), 1/3./(1+2/60.*2))
}

func TestMoreSessionsNeedMore(t *testing.T) {
	t.Parallel()
	m := measured(t)
	for _, k := range kinds {
		var before need
		for n := 1e3; n < 1e9; n *= 1.7 {
			now := m.need(k, n)
			if now.Instances < before.Instances || now.StoreCores < before.StoreCores || now.UpGbit <= before.UpGbit {
				t.Errorf("%s: %.0f sessions need less than fewer did: %+v after %+v", k.ID, n, now, before)
			}
			before = now
		}
	}
}

func TestTheInverseIsTheInverse(t *testing.T) {
	t.Parallel()
	m := measured(t)
	for _, k := range kinds {
		for _, fleet := range []float64{3, 10, 100} {
			n := m.carries(k, fleet)
			if enough := m.need(k, n).Instances; enough > fleet {
				t.Errorf("%s: %v instances are said to carry %.0f sessions, which need %v", k.ID, fleet, n, enough)
			}
			if more := m.need(k, 1.01*n).Instances; more <= fleet {
				t.Errorf("%s: %v instances carry more than %.0f sessions", k.ID, fleet, n)
			}
		}
	}
}

// TestNewsOfEveryWriteGrowWithTheSquare: of ten times the sessions, each of ten
// times the instances hears ten times as much, until it has time for nothing else.
func TestNewsOfEveryWriteGrowWithTheSquare(t *testing.T) {
	t.Parallel()
	m := measured(t)
	near, asked := find("redis-cluster-near"), find("redis-cluster")
	told := func(n float64) float64 { return m.need(near, n).StoreCores - m.missRate()*m.need(asked, n).StoreCores }
	if times := told(2e7) / told(2e6); times < 50 {
		t.Errorf("ten times the sessions make the news %.0f times as dear for the store", times)
	}
	if n := m.need(near, 1e9).Instances; !math.IsInf(n, 1) {
		t.Errorf("%v instances hear of a billion sessions", n)
	}
	if n := m.need(asked, 1e9).Instances; math.IsInf(n, 1) {
		t.Error("without news no number is enough")
	}
}

func TestTheFirstWallMoves(t *testing.T) {
	t.Parallel()
	m := measured(t)
	first := func(id string) string { return m.wallsOf(find(id))[0].ID }
	for id, want := range map[string]string{"memory": "provider", "redis": "provider", "postgres": "provider", "cookie": "provider"} {
		if got := first(id); got != want {
			t.Errorf("%s: the first wall is %s, want %s", id, got, want)
		}
	}
	m.Provider = 1e9
	for id, want := range map[string]string{"memory": "edge", "redis": "store-memory", "cookie": "edge", "nats": "replica"} {
		if got := first(id); got != want {
			t.Errorf("%s, with another provider: the first wall is %s, want %s", id, got, want)
		}
	}
	m.Shard = 1e6
	if got := first("redis"); got != "store-cpu" {
		t.Errorf("with memory enough: %s", got)
	}
}

// TestCeilingsAreThoseOfTheFormulas: p99 of M/M/1 is that of an idle one over 1-u,
// so three times it is at two thirds.
func TestCeilingsAreThoseOfTheFormulas(t *testing.T) {
	t.Parallel()
	m := measured(t)
	list := m.busyness(1, 60_000)
	for _, b := range list[:16] {
		if want := 1 / (1 - b.Utilisation); math.Abs(b.Shard-want) > .12*want {
			t.Errorf("p99 of a shard at %.2f is %.2f times that of an idle one, the formula says %.2f", b.Utilisation, b.Shard, want)
		}
	}
	c := ceilingsOf(list, 3)
	if c.Store != .65 || c.Instance != .6 {
		t.Errorf("ceilings are %+v", c)
	}
	if one, again := m.busyness(1, 1000), m.busyness(1, 1000); one[10] != again[10] {
		t.Error("the same seed gives another curve")
	}
}

// TestAStormIsWaterInATank, as long as nobody gives up.
func TestAStormIsWaterInATank(t *testing.T) {
	t.Parallel()
	m := measured(t)
	for _, load := range []float64{.2, .3, .4} {
		s := m.storm(load, 1)
		if s.GivenUp > 0 || s.Over < .8*s.Formula || s.Over > 1.6*s.Formula {
			t.Errorf("at %v it is over after %.0f s, water would be after %.0f s; %d gave up", load, s.Over, s.Formula, s.GivenUp)
		}
	}
	list := m.storms(1)
	if c := m.providerCeiling(list); c < .4 || c > .8 {
		t.Errorf("the provider may be %v busy", c)
	}
}

const requestLines = `goos: linux
BenchmarkCall/redis 100 1.2 x 70 cpu-us/op 9 store-us/op 8000 req/s
BenchmarkCall/redis 100 1.2 x 60 cpu-us/op 7 store-us/op 8000 req/s
BenchmarkCall/redis 100 1.2 x 61 cpu-us/op 8 store-us/op 8000 req/s
BenchmarkSignIn/cpu 1 600 us
`

func TestInputsAreReadWhereTheyWereLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	requests := write("bench.txt", requestLines)
	from := places{readme: "../../../README.md", requests: filepath.Join(dir, "none") + "," + requests}
	in, err := read(from)
	if err != nil {
		t.Fatal(err)
	}
	about(t, "a call over Redis", in.get("Call/redis cpu-us/op"), 61)
	about(t, "of Redis", in.get("Call/redis store-us/op"), 8)
	about(t, "a sign-in", in.get("SignIn/cpu"), 600)
	if in.requests != requests {
		t.Errorf("requests are of %q", in.requests)
	}
	for id, least := range map[string]float64{
		"store/redis Get": 1, "store/redis Get server": 1, "store/redis bytes": 3500, "store/postgres Update server": 10, "store/nats-cluster Get": 10,
		"topology/redis-n-round-robin round trips": .9, awayID: .5, "record bytes": 2300, "sealed cookie bytes": 3000, "ticket cookie bytes": 50,
	} {
		if got := in.get(id); !(got >= least && got < 1e5) {
			t.Errorf("%s is %v", id, got)
		}
	}
	if in.get("Call/memory cpu-us/op"); len(in.missing) != 1 {
		t.Errorf("missing are %q", in.missing)
	}

	from.stores = write("stores.json", `{"stores": [{"name": "redis", "get": {"cpu_ours_us": 15, "cpu_server_us": 9}, "bytes_per_session": 4700}]}`)
	from.topologies = write("topologies.json", `{"played": [
		{"topology": "redis-n-round-robin", "event": "steady", "round_trips": 1.5},
		{"topology": "redis-cluster-n", "event": "failover", "requests": {"served": 30, "declared": 10}, "recovery_ms": 200, "tick_ns": 100000000, "begins": 1,
		 "timeline": [{"served": 10}, {"served": 5, "declared": 5}, {"served": 5, "declared": 5}, {"served": 10}]}]}`)
	if in, err = read(from); err != nil {
		t.Fatal(err)
	}
	about(t, "Redis, by JSON", in.get("store/redis Get"), 15)
	about(t, "its server", in.get("store/redis Get server"), 9)
	about(t, "round trips, by JSON", in.get("topology/redis-n-round-robin round trips"), 1.5)
	about(t, "failover, by JSON", in.get(awayID), .2)
	about(t, "its share of 503", in.get(awayShareID), .5)
	about(t, "its rate", in.get(awayRateID), 100)
}

// TestWhatNobodyMeasuredIsNamed, and takes its kinds along, and no README gets a
// table with a hole in it.
func TestWhatNobodyMeasuredIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bench.txt")
	if err := os.WriteFile(file, []byte(requestLines), 0o600); err != nil {
		t.Fatal(err)
	}
	readme := filepath.Join(t.TempDir(), "README.md")
	const page = "<!-- scale -->\n<!-- /scale -->\n"
	if err := os.WriteFile(readme, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	args := []string{"-from", "../../../README.md", "-requests", file, "-pushes", "push.txt", "-simulate", "2000"}
	if err := run(args, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"- MISSING: Call/memory cpu-us/op;", "| memory, sticky | cannot be said", "| sealed cookie, sticky | cannot be said"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
	if err := run(append(args, "-readme", readme), &out, t.Output()); err == nil || !strings.Contains(err.Error(), "nobody measured") {
		t.Errorf("the README: %v", err)
	}
	if text, err := os.ReadFile(readme); err != nil || string(text) != page {
		t.Errorf("the README is %q, %v", text, err)
	}
}

func TestTheReportHasEveryForm(t *testing.T) {
	t.Parallel()
	m := measured(t)
	r := derive(m.usage, m.in, 1, 2000)
	if len(r.Missing) > 0 || len(r.Unknown) > 0 || len(r.Rows) != len(kinds) {
		t.Errorf("missing %q, unknown %q, %d rows", r.Missing, r.Unknown, len(r.Rows))
	}
	text, err := r.json()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows []struct {
			ID     string
			Needs  []struct{ Instances float64 }
			Fleets []struct{ Fleet float64 }
			Walls  []stands
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, row := range got.Rows {
		if len(row.Needs) != len(crowds) || len(row.Fleets) != len(fleets) || row.Fleets[2].Fleet != fleets[2] || len(row.Walls) < 2 || row.Needs[0].Instances < 1 {
			t.Errorf("%+v", row)
		}
	}
	columns := 0
	for line := range strings.Lines(r.text()) {
		switch n := strings.Count(line, "|") - 2; {
		case !strings.HasPrefix(line, "|"):
			columns = 0
		case strings.HasPrefix(line, "|---"):
			if n != columns {
				t.Errorf("a table of %d columns has the rule %s", columns+1, line)
			}
		case columns == 0:
			columns = n
		case n != columns:
			t.Errorf("a row of %d columns in a table of %d: %s", n+1, columns+1, line)
		}
	}
	if svg := plotBusy(r.Busy, r.Ceilings); strings.Count(svg, "<polyline") != 3 || strings.Contains(svg, "NaN") || !strings.Contains(svg, "prefers-color-scheme: dark") {
		t.Errorf("the plot is\n%s", svg)
	}
}

// TestNewsAreMeasured on a real Redis, and read where they are left.
func TestNewsAreMeasured(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "push.txt")
	if err := measurePush(t.Context(), file, 2000, t.Output()); err != nil {
		t.Fatal(err)
	}
	in := &inputs{found: map[string]figure{}}
	if ok, err := in.readRequests(file); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, id := range []string{"Push/redis/server", "Push/redis/instance"} {
		if in.get(id); in.missing != nil || !strings.HasSuffix(in.found[id].From, "median of 3") {
			t.Errorf("%s: %+v", id, in.found[id])
		}
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-active", "0"}, {"-active", "2"}, {"-life", "0s"}, {"-burst", "0.5"}, {"-simulate", "1"}, {"more"}, {"-no-such"}} {
		if err := run(args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
