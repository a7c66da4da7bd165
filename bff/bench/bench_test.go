package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// TestMain lets this program be what the bench runs of itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "bare" || os.Args[1] == "crowded") {
		if err := command(context.Background(), os.Args[1:]); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestEveryFigureIsThere goes the whole way with the yardstick, two rows and three
// parts; a peer that cannot be built is named, and the rest goes on.
func TestEveryFigureIsThere(t *testing.T) {
	program := servers.Build(t, "", "./bff", "cloakroom")
	dir := t.TempDir()
	wasm := filepath.Join(dir, "app.wasm.br")
	if err := os.WriteFile(wasm, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	onlyTaskset(t)
	file, text := filepath.Join(dir, "made", "bench.json"), filepath.Join(dir, "bench.txt")
	var out, progress bytes.Buffer
	err := run(t.Context(), []string{
		"-small", "-rounds", "2", "-slice", "100ms", "-only", "memory,jwe-first,oauth2-proxy-cookie,start,sign-ins,million-memory",
		"-cloakroom", program, "-wasm", wasm, "-json", file, "-bench", text,
	}, &out, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	figures, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(figures, &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range got.Rows {
		names = append(names, row.Name)
		for _, r := range row.Rounds {
			if r.Calls == 0 || r.PerSecond == 0 || r.P99 < r.P50 || r.P50 == 0 || r.Alone == 0 || r.RSS == 0 || r.Bare.PerSecond == 0 {
				t.Errorf("%s: %+v", row.Name, r)
			}
		}
		if row.Version == "" {
			t.Errorf("%s has no version", row.Name)
		}
	}
	if want := []string{"bare", "memory", "jwe-first"}; !slices.Equal(names, want) {
		t.Errorf("the rows are %v, want %v", names, want)
	}
	if n := len(got.Rows[1].Rounds); n != 2 {
		t.Errorf("%d rounds", n)
	}
	if len(got.Missing) != 1 || got.Missing[0].Name != "oauth2-proxy-cookie" || !strings.Contains(got.Missing[0].Why, `"go": executable file not found`) {
		t.Errorf("missing is %+v", got.Missing)
	}
	for _, id := range []string{"Start", "SignIn/cpu", "Million/memory/bytes", "Million/memory/gc", "Million/memory/p99"} {
		if len(measured(id, 1)(&got)) == 0 {
			t.Errorf("there is no %s", id)
		}
	}
	lines, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nBenchmarkCall/memory ", " x ", "\nBenchmarkStart 1 "} {
		if !bytes.Contains(lines, []byte(want)) {
			t.Errorf("for benchstat there is no %q:\n%s", want, lines)
		}
	}
	for _, want := range []string{"| **Cloakroom**, memory |", "| `httputil.ReverseProxy`, plain proxy | 1 |", "Not measured: oauth2-proxy-cookie: ", "these figures say nothing", "must <= 1.1 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q:\n%s", want, &out)
		}
	}
}

// TestTurnsOfAPartAreApart, and their values are of one measure.
func TestTurnsOfAPartAreApart(t *testing.T) {
	t.Parallel()
	named := func(list []part) (names string) {
		for _, one := range list {
			names += one.name + " "
		}
		return names
	}
	for _, row := range []struct {
		chosen []part
		want   string
	}{
		{[]part{{name: "a"}, {name: "b", more: 2}, {name: "c"}, {name: "d"}, {name: "e"}, {name: "f"}, {name: "g"}}, "a b c d b e f b g "},
		{[]part{{name: "a"}, {name: "b", more: 1}}, "a b b "},
		{nil, ""},
	} {
		if got := named(schedule(row.chosen)); got != row.want {
			t.Errorf("%q become %q, want %q", named(row.chosen), got, row.want)
		}
	}
	var r report
	for _, m := range []measure{{ID: "x", Values: []float64{1}}, {ID: "y", Values: []float64{2}}, {ID: "x", Values: []float64{3}}} {
		r.add(m)
	}
	if len(r.Measures) != 2 || !slices.Equal(r.Measures[0].Values, []float64{1, 3}) {
		t.Errorf("the measures are %+v", r.Measures)
	}
}

// onlyTaskset hides every program but the one that no measurement can do without.
func onlyTaskset(t *testing.T) {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(servers.Program(t, "taskset", "util-linux"), filepath.Join(bin, "taskset")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
}

// TestTokensAreAsLargeAsInLife, which decides what a sealed cookie costs.
func TestTokensAreAsLargeAsInLife(t *testing.T) {
	t.Parallel()
	w, err := openWorld(t.Context(), t.Output(), "none", tokenLife, bareName)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	token, err := w.person.mint(t.Context(), w.issuer, w.origin(bareName)+shared.PathCallback)
	if err != nil {
		t.Fatal(err)
	}
	last, all := w.provider.given()
	if token != last {
		t.Error("the token that was given last is not the one that was got")
	}
	for _, size := range []struct{ got, want int }{{len(token), accessSize}, {all, tokensSize}} {
		if size.got < size.want*97/100 || size.got > size.want*103/100 {
			t.Errorf("%d bytes, want %d", size.got, size.want)
		}
	}
	if strings.Count(token, ".") != 2 {
		t.Error("the access token is no JWT")
	}
}

// TestAWrongAnswerIsNotMeasured: neither another status, nor another session's
// token, nor none.
func TestAWrongAnswerIsNotMeasured(t *testing.T) {
	t.Parallel()
	u, err := openUpstream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.listener.Close() })
	mine, other := u.expect("mine"), u.expect("other")
	if len(mine) != bodySize || bytes.Equal(mine, other) {
		t.Fatal("the bodies do not tell the tokens apart")
	}
	request := func(header string) []byte { return []byte("GET / HTTP/1.1\r\nHost: a\r\n" + header + "\r\n\r\n") }
	for _, row := range []struct {
		name, header string
		status       int // of a wrong answer
		right        bool
	}{
		{"the session's own token", "Authorization: Bearer mine", 0, true},
		{"the same where oauth2-proxy has it", "x-forwarded-access-token: mine", 0, true},
		{"another session's", "Authorization: Bearer other", 0, false},
		{"one that nobody issued", "Authorization: Bearer forged", 401, false},
		{"none", "Accept: */*", 401, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := dial(t.Context(), u.addr(), 3)
			if err != nil {
				t.Fatal(err)
			}
			defer l.close()
			left := 10
			next := func(conn int) (*call, bool) {
				if conn == 0 {
					left--
				}
				return &call{request(row.header), mine}, conn == 0 && left >= 0
			}
			s, err := l.run(t.Context(), time.Minute, next, nil)
			wrong, is := errors.AsType[*wrongAnswer](err)
			switch {
			case row.right && (err != nil || len(s.times) != 10):
				t.Errorf("%d calls: %v", len(s.times), err)
			case !row.right && (!is || wrong.status != row.status):
				t.Errorf("run = %v", err)
			}
		})
	}
}

// TestAPeerThatBreaksDownIsNamedAndTheRestGoesOn, but no wrong answer of anybody is
// put up with.
func TestAPeerThatBreaksDownIsNamedAndTheRestGoesOn(t *testing.T) {
	frail := func(failure error) func(*world, *servers.Stage, string) *front {
		return func(w *world, s *servers.Stage, name string) *front {
			f, turns := openBare(w, s, name), 0
			f.fresh = func(n int) ([]*call, error) {
				if turns++; turns == 3 { // in its second round
					return nil, failure
				}
				return slices.Repeat(f.calls[:1], n), nil
			}
			return f
		}
	}
	cloakroom := filepath.Join(t.TempDir(), "nobody-starts-it")
	for _, row := range []struct {
		name    string
		failure error
		ends    bool
	}{
		{"a breakdown", errors.New("it is gone"), false},
		{"a wrong answer", &wrongAnswer{text: "another's token"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, err := openWorld(t.Context(), t.Output(), cloakroom, tokenLife, bareName, "frail", "sound")
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			p := plan{rounds: 3, slice: 20 * time.Millisecond}
			rows, gaps, err := p.compare(w, []kind{{"frail", "a frail one", frail(row.failure)}, {"sound", "a sound one", openBare}})
			switch {
			case row.ends:
				if _, wrong := errors.AsType[*wrongAnswer](err); !wrong {
					t.Errorf("compare = %v", err)
				}
			case err != nil || len(gaps) != 1 || gaps[0].Name != "frail":
				t.Errorf("missing is %+v: %v", gaps, err)
			case len(rows) != 2 || rows[1].Name != "sound" || len(rows[1].Rounds) != 3:
				t.Errorf("the rows are %+v", rows)
			}
		})
	}
}

// TestACloakroomThatDoesNotStartEndsIt: it is no peer that can be left out.
func TestACloakroomThatDoesNotStartEndsIt(t *testing.T) {
	err := run(t.Context(), []string{"-only", "memory", "-small", "-cloakroom", filepath.Join(t.TempDir(), "none")}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "memory: ") {
		t.Errorf("run = %v", err)
	}
}

// TestAConnectionThatEndsBetweenAnswersIsDialledAgain, and one that ends within an
// answer is a failure.
func TestAConnectionThatEndsBetweenAnswersIsDialledAgain(t *testing.T) {
	t.Parallel()
	for answer, right := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":                                     true,
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok":                true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n": true,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok":                                     false,
		"HTTP/1.1 200 OK\r\n": false,
	} {
		server, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		go func() {
			for {
				conn, err := server.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 1000))
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}
		}()
		l, err := dial(t.Context(), server.Addr().String(), 1)
		if err != nil {
			t.Fatal(err)
		}
		left := 3
		s, err := l.run(t.Context(), time.Minute, func(int) (*call, bool) {
			left--
			return &call{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), []byte("ok")}, left >= 0
		}, nil)
		l.close()
		if right != (err == nil) || right && (len(s.times) != 3 || s.redialled < 2) {
			t.Errorf("%q: %d calls, %d dialled again: %v", answer, len(s.times), s.redialled, err)
		}
	}
}

// TestACookieIsKeptAsInABrowser: whoever goes on with an old one is no browser.
func TestACookieIsKeptAsInABrowser(t *testing.T) {
	t.Parallel()
	const head, tail = "GET / HTTP/1.1\r\nHost: a\r\n", "\r\nAccept: */*\r\n\r\n"
	for given, want := range map[string]string{
		"one=new; Path=/; HttpOnly":   "Cookie: one=new; two=b",
		"two=; Path=/; Max-Age=0":     "Cookie: one=a",
		"three=c; Path=/; Secure":     "Cookie: one=a; two=b; three=c",
		"three=; Path=/; Max-Age=0":   "Cookie: one=a; two=b",
		"what no browser understands": "Cookie: one=a; two=b",
	} {
		c := &call{request: []byte(head + "Cookie: one=a; two=b" + tail)}
		if c.keep(given); string(c.request) != head+want+tail {
			t.Errorf("%q: %q", given, c.request)
		}
	}
	bare := &call{request: []byte(head + tail[2:])}
	if bare.keep("one=a"); string(bare.request) != head+tail[2:] {
		t.Errorf("without cookies: %q", bare.request)
	}
}

func TestWhatCannotBeMeasuredIsSaid(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		name string
		ctx  context.Context
		args []string
		want string
	}{
		{"a row that is none", t.Context(), []string{"-only", "memory,abacus"}, `there is nothing called "abacus"; -help lists what there is`},
		{"half a table for the README", t.Context(), []string{"-only", "memory", "-readme", "README.md"}, "-readme needs everything in full, so neither -only nor -small"},
		{"no round", t.Context(), []string{"-rounds", "0"}, "-rounds and -slice must be more than nothing"},
		{"a word too many", t.Context(), []string{"memory"}, `"memory" is not a flag`},
		{"a stop", ended, []string{"-only", "start"}, "stopped"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := run(row.ctx, row.args, &out, io.Discard); err == nil || err.Error() != row.want {
				t.Errorf("run = %v, want %s", err, row.want)
			}
			if out.Len() > 0 {
				t.Errorf("a table all the same:\n%s", &out)
			}
		})
	}
}

func TestHelpNamesEverything(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("run = %v", err)
	}
	names := []string{"-only", "-json", "-bench", "-readme", "-cloakroom", "-rounds", "-slice", "-small"}
	for _, k := range kinds {
		names = append(names, k.name)
	}
	for _, p := range parts {
		names = append(names, p.name)
	}
	for _, name := range names {
		if !strings.Contains(help.String(), "\n  "+name+" ") && !strings.Contains(help.String(), "\n  "+name+"\n") {
			t.Errorf("-help does not name %s:\n%s", name, &help)
		}
	}
}

// TestEveryBudgetIsMeasured by something, and judged by its median.
func TestEveryBudgetIsMeasured(t *testing.T) {
	t.Parallel()
	list, err := budgets()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if b.What == "" || b.Must <= 0 || b.Aim <= 0 || (b.Aim > b.Must) != b.More && b.Aim != b.Must {
			t.Errorf("%+v", b)
		}
	}
	less, more := budget{Must: 1.2, Aim: 0.8}, budget{Must: 4, Aim: 7, More: true}
	for _, row := range []struct {
		of     budget
		values []float64
		want   string
	}{
		{less, nil, notMeasured},
		{less, []float64{0.8}, aimReached},
		{less, []float64{9, 1, 0.1}, mustHeld},
		{less, []float64{1.1, 1.32}, notHeld},
		{more, []float64{7}, aimReached},
		{more, []float64{1, 4, 99}, mustHeld},
		{more, []float64{3.99}, notHeld},
	} {
		if got := row.of.judge(row.values); got != row.want {
			t.Errorf("%v of %+v is %q, want %q", row.values, row.of, got, row.want)
		}
	}
}

// TestTheReadmeGetsAWholeTableOrNone.
func TestTheReadmeGetsAWholeTableOrNone(t *testing.T) {
	t.Parallel()
	readme := filepath.Join(t.TempDir(), "README.md")
	const before = "<!-- bench -->\nold\n<!-- /bench -->\n"
	if err := os.WriteFile(readme, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &report{Rows: []row{{Name: "memory", Label: ours + ", memory", Rounds: []round{{figures{CPU: 12}, figures{CPU: 10}}}}}, Missing: []missing{{"nginx", "it broke down"}}}
	text := func() string {
		t.Helper()
		got, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	if err := r.write(io.Discard, true, "", "", readme); err == nil || text() != before {
		t.Errorf("with a hole in it: %v\n%s", err, text())
	}
	r.Missing = nil
	if err := r.write(io.Discard, true, "", "", readme); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| **Cloakroom**, memory | 1.20 | 12 |", "| <= 1.1 | <= 0.7 | 1.20 | " + notHeld + " |", "| >= 4 | >= 7 | - | " + notMeasured + " |"} {
		if !strings.Contains(text(), want) {
			t.Errorf("there is no %q:\n%s", want, text())
		}
	}
}

// TestPeersAreComparedInTheirOwnRound: each with the yardstick beside it.
func TestPeersAreComparedInTheirOwnRound(t *testing.T) {
	t.Parallel()
	at := func(cpu, bare float64) round { return round{figures{CPU: cpu}, figures{CPU: bare}} }
	r := &report{Rows: []row{
		{Name: "redis", Rounds: []round{at(10, 10), at(40, 20)}},
		{Name: "oidc-redis", Rounds: []round{at(30, 10), at(30, 10)}},
	}}
	if got := spending["oidc-redis"](r); !slices.Equal(got, []float64{3, 1.5}) {
		t.Errorf("the ratios are %v", got)
	}
	if got := spending["oidc-shm"](r); len(got) != 0 {
		t.Errorf("of what was not measured they are %v", got)
	}
}
