package ui_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/shared"
	"cloakroom/shared/problem"
	"cloakroom/wasm/ui"
)

const firefoxOnLinux = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// listed are three sessions, of which the second asks.
func listed() *ui.Devices {
	d := &ui.Devices{}
	d.Loaded([]shared.Device{{Handle: "h1", UserAgent: firefoxOnLinux}, {Handle: "h2", Current: true}, {Handle: "h3"}})
	return d
}

func handles(d *ui.Devices) string {
	var all []string
	for _, row := range d.Rows {
		name := row.Handle
		if row.Asking {
			name += "?"
		}
		if d.Ending(row) {
			name += "!"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestEndingASession(t *testing.T) {
	for _, row := range []struct {
		name   string
		steps  func(t *testing.T, d *ui.Devices)
		rows   string
		says   string
		bad    bool
		others bool // all others are asked about
	}{
		{name: "nothing", steps: func(*testing.T, *ui.Devices) {}, rows: "h1 h2 h3"},
		{name: "one question at a time", steps: func(_ *testing.T, d *ui.Devices) { d.Ask("h1"); d.Ask("h3") }, rows: "h1 h2 h3?"},
		{name: "or one about all others", steps: func(_ *testing.T, d *ui.Devices) { d.Ask("h1"); d.Ask("others") }, rows: "h1 h2 h3", others: true},
		{name: "no question about this one", steps: func(_ *testing.T, d *ui.Devices) { d.Ask("h2") }, rows: "h1 h2 h3"},
		{name: "kept", steps: func(_ *testing.T, d *ui.Devices) { d.Ask("others"); d.Ask("h1"); d.Keep() }, rows: "h1 h2 h3"},
		{name: "under way", steps: func(t *testing.T, d *ui.Devices) {
			d.Ask("h1")
			if !d.End("h1") || d.End("h1") || d.End("h3") || !d.Busy() {
				t.Error("one change at a time")
			}
		}, rows: "h1! h2 h3"},
		{name: "all others under way", steps: func(_ *testing.T, d *ui.Devices) { d.End("others") }, rows: "h1! h2 h3!"},
		{name: "ended", steps: func(_ *testing.T, d *ui.Devices) { d.End("h1"); d.Ended() }, rows: "h2 h3", says: "Ended: Firefox on Linux."},
		{name: "all others ended", steps: func(_ *testing.T, d *ui.Devices) { d.End("others"); d.Ended() }, rows: "h2", says: "2 other sessions ended."},
		{name: "gone already", steps: func(_ *testing.T, d *ui.Devices) { d.End("h1"); d.EndFailed(failed(problem.SessionUnknown)) }, rows: "h2 h3", says: "Ended: Firefox on Linux."},
		{name: "refused", steps: func(t *testing.T, d *ui.Devices) {
			d.End("h1")
			if d.EndFailed(failed(problem.StoreUnavailable)) {
				t.Error("the list need not be read again: nothing has changed")
			}
		}, rows: "h1 h2 h3", says: "Nothing was ended. The session store does not answer.", bad: true},
		{name: "without an answer", steps: func(t *testing.T, d *ui.Devices) {
			d.End("h1")
			if !d.EndFailed(ui.Failure{Fault: ui.FaultOffline}) {
				t.Error("the list must be read again to know what is true")
			}
		}, rows: "h1 h2 h3", says: "No answer came, so what you ended may or may not have ended.", bad: true},
		{name: "read again meanwhile", steps: func(_ *testing.T, d *ui.Devices) {
			d.End("h1")
			d.Loaded([]shared.Device{{Handle: "h2", Current: true}, {Handle: "h3"}})
			d.Ended()
		}, rows: "h2 h3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := listed()
			row.steps(t, d)
			if handles(d) != row.rows || d.AskingOthers != row.others {
				t.Errorf("rows %q asking about others %v, want %q %v", handles(d), d.AskingOthers, row.rows, row.others)
			}
			if diff := cmp.Diff(ui.Notice{Text: row.says, Bad: row.bad}, d.Notice); diff != "" {
				t.Errorf("notice (-want +got):\n%s", diff)
			}
		})
	}
	if n := listed().Others(); n != 2 {
		t.Errorf("%d others", n)
	}
}

func TestAListThatCannotBeReadNamesNobody(t *testing.T) {
	d := listed()
	if d.LoadFailed(failed(problem.StoreUnavailable)); d.Phase != ui.Failed || len(d.Rows) != 0 {
		t.Errorf("phase %v rows %s", d.Phase, handles(d))
	}
	if d.LoadFailed(failed(problem.NotFound)); d.Phase != ui.Ready || len(d.Rows) != 0 {
		t.Errorf("a server without lists: phase %v rows %s", d.Phase, handles(d))
	}
}

func TestAgentsAreNamed(t *testing.T) {
	for ua, want := range map[string]string{
		"":             "An unknown browser",
		firefoxOnLinux: "Firefox on Linux",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36":                       "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":       "Edge on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0":       "Opera on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":               "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/1":  "Chrome on iPhone",
		"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15":    "Firefox on iPad",
		"Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537": "Samsung Internet on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                      "Chrome on ChromeOS",
		"curl/8.5.0":          "curl",
		"something (Windows)": "A browser on Windows",
		"<script>alert(1)":    "An unknown browser",
	} {
		if got := ui.Agent(ua); got != want {
			t.Errorf("%q is %q, want %q", ua, got, want)
		}
	}
}

func TestFourLifetimesAreToldApart(t *testing.T) {
	session := shared.SessionFacts{IdleExpires: 1, AbsoluteExpires: 2}
	access := shared.TokenFacts{Kind: shared.TokenAccess, Expires: 3}
	for _, row := range []struct {
		name    string
		tokens  []shared.TokenFacts
		ends    []int64 // idle, absolute, access, refresh, further
		unsaid  string  // of the refresh token
		renewed bool
	}{
		{"all said", []shared.TokenFacts{access, {Kind: shared.TokenRefresh, Expires: 4}, {Kind: shared.TokenID, Expires: 9}}, []int64{1, 2, 3, 4}, "Only the provider knows", true},
		{"a refresh token whose end only the provider knows", []shared.TokenFacts{access, {Kind: shared.TokenRefresh}}, []int64{1, 2, 3, 0}, "Only the provider knows", true},
		{"a further token, for one API", []shared.TokenFacts{access, {Kind: shared.TokenAccess, Resource: "https://billing.example", Expires: 7}, {Kind: shared.TokenRefresh}}, []int64{1, 2, 3, 0, 7}, "Only the provider knows", true},
		{"no refresh token", []shared.TokenFacts{access}, []int64{1, 2, 3, 0}, "None", false},
		{"no token at all", nil, []int64{1, 2, 0, 0}, "None", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			lives := ui.LifetimesOf(shared.Holdings{Session: session, Tokens: row.tokens})
			var got []int64
			for _, l := range lives {
				if got = append(got, l.Ends); l.Name == "" || l.Means == "" || l.Ends == 0 && l.Unsaid == "" {
					t.Errorf("%+v does not say what it means", l)
				}
			}
			if diff := cmp.Diff(row.ends, got); diff != "" {
				t.Errorf("ends (-want +got):\n%s", diff)
			}
			if lives[3].Unsaid != row.unsaid || strings.Contains(lives[2].Means, "renews it with") != row.renewed {
				t.Errorf("refresh token: %q, access token: %q", lives[3].Unsaid, lives[2].Means)
			}
			if known := lives[3].Ends != 0; strings.Contains(lives[3].Means, "The session ends with it") != known {
				t.Errorf("refresh token: %q", lives[3].Means)
			}
		})
	}
}
