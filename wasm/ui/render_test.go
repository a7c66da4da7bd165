package ui_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"cloakroom/shared"
	"cloakroom/wasm/ui"
)

// walk calls f for every element of a document.
func walk(n *html.Node, f func(*html.Node)) {
	if n.Type == html.ElementNode {
		f(n)
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		walk(child, f)
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func parse(t *testing.T, page string) *html.Node {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func states() map[string]ui.Session {
	alice := shared.User{Name: `Alice <b>"Liddell"`, Subject: "alice", LogoutURL: "/bff/logout?sid=1",
		Claims: []shared.Claim{{Type: "sub", Value: "alice"}}}
	in := ui.Session{State: ui.SignedIn, User: alice, Ends: time.Now().Add(time.Hour)}
	down := ui.Failure{Fault: ui.FaultDown, Title: "The session store does not answer"}
	return map[string]ui.Session{
		"unknown": {}, "signed out": {State: ui.SignedOut}, "signed in": in,
		"expired":                      {State: ui.Expired, User: alice},
		"down, nobody known":           {State: ui.Down, Failure: down, RetryAt: time.Now()},
		"down while somebody is there": {State: ui.Down, User: alice, Failure: down, RetryAt: time.Now()},
	}
}

func TestEveryPageIsWholeInEveryState(t *testing.T) {
	for _, page := range append(ui.Paths(), ui.PathNotFound) {
		for name, session := range states() {
			t.Run(page+" "+name, func(t *testing.T) {
				count := map[string]int{}
				walk(parse(t, ui.RenderShell(page, session)), func(n *html.Node) {
					count[n.Data]++
					if role := attr(n, "role"); role != "" {
						count["role "+role]++
					}
					for _, a := range n.Attr {
						if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
							t.Errorf("<%s> has an inline %s, which the policy forbids", n.Data, a.Key)
						}
					}
					if n.Data == "style" || n.Data == "script" {
						t.Errorf("inline <%s>", n.Data)
					}
					if n.Data == "input" && attr(n, "id") == "" {
						t.Error("an input without a label")
					}
				})
				for element, want := range map[string]int{"main": 1, "header": 1, "footer": 1, "h1": 1, "b": 0} {
					if count[element] != want {
						t.Errorf("%d <%s>, want %d", count[element], element, want)
					}
				}
				if count["nav"] < 1 || count["role status"] < 1 {
					t.Error("no navigation or no live region")
				}
			})
		}
	}
}

func TestSigningInComesBackToThePage(t *testing.T) {
	for page, want := range map[string]string{
		"/": "/bff/login?returnUrl=%2F", "/orders": "/bff/login?returnUrl=%2Forders", ui.PathNotFound: "/bff/login?returnUrl=%2F",
	} {
		for _, state := range []ui.State{ui.SignedOut, ui.Expired} {
			found := false
			walk(parse(t, ui.RenderShell(page, ui.Session{State: state})), func(n *html.Node) {
				if href := attr(n, "href"); n.Data == "a" && strings.HasPrefix(href, shared.PathLogin) {
					found = true
					if href != want {
						t.Errorf("%s in state %v: %s, want %s", page, state, href, want)
					}
				}
			})
			if !found {
				t.Errorf("%s in state %v offers no way to sign in", page, state)
			}
		}
	}
}

func TestWhatIsPrivateIsShownToItsOwnerOnly(t *testing.T) {
	for name, session := range states() {
		page := ui.RenderShell("/orders", session)
		if got, want := strings.Contains(page, "<form"), session.Shows(); got != want {
			t.Errorf("%s: the order form is shown: %v, want %v", name, got, want)
		}
	}
	if page := ui.RenderShell("/orders", states()["down while somebody is there"]); !strings.Contains(page, "You are still signed in") {
		t.Error("a server that is down does not say that the session is kept")
	}
}

// The names that whoever drives the pages relies on.
func TestStatesAndPhasesAreNamed(t *testing.T) {
	for name, want := range map[string]string{
		"unknown": "unknown", "signed out": "signed-out", "signed in": "signed-in", "expired": "expired",
		"down, nobody known": "down", "down while somebody is there": "down",
	} {
		got := ""
		walk(parse(t, ui.RenderShell("/", states()[name])), func(n *html.Node) {
			if attr(n, "class") == "shell" {
				got = attr(n, "data-state")
			}
		})
		if got != want {
			t.Errorf("%s is named %q, want %q", name, got, want)
		}
	}
	for phase, want := range map[ui.Phase]string{ui.Loading: "loading", ui.Ready: "ready", ui.Failed: "failed"} {
		page := ui.RenderOrders(ui.Orders{Phase: phase, Page: 1}, states()["signed in"])
		if !strings.Contains(page, `data-phase="`+want+`"`) {
			t.Errorf("phase %s is not named: %s", want, page)
		}
	}
}

func TestTheListOffersOneWayToTryAgain(t *testing.T) {
	rows := []ui.Row{{Order: shared.Order{ID: "o1", Item: "scarf"}}}
	failure := ui.Failure{Fault: ui.FaultDown, Title: "The API does not answer"}
	for _, row := range []struct {
		name    string
		model   ui.Orders
		session string
		has     string
		hasNot  string
	}{
		{"the server is down: its banner has the button", ui.Orders{Phase: ui.Failed, Failure: failure, Page: 1, Total: 1200}, "down while somebody is there", "as soon as the server answers", "Try again"},
		{"only the list failed", ui.Orders{Phase: ui.Failed, Failure: failure, Page: 1, Total: 1200}, "signed in", "Try again", "1,200"},
		{"an old list is marked", ui.Orders{Phase: ui.Failed, Failure: failure, Page: 2, Total: 1200, Rows: rows, Stale: true}, "signed in", "as read before", "1,200"},
		{"an old list is not changed", ui.Orders{Phase: ui.Failed, Failure: failure, Page: 2, Rows: rows, Stale: true}, "signed in", "scarf", "Delete scarf"},
		{"a page beyond the bounds", ui.Orders{Phase: ui.Ready, Page: 4000}, "signed in", "There is no page 4000", "Try again"},
		{"a page beyond the last", ui.Orders{Phase: ui.Ready, Page: 61, Total: 1200}, "signed in", `href="/orders?page=60"`, "No orders"},
		{"no orders at all", ui.Orders{Phase: ui.Ready, Page: 1}, "signed in", "No orders", "There is no page"},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := ui.RenderOrders(row.model, states()[row.session])
			if !strings.Contains(page, row.has) || strings.Contains(page, row.hasNot) {
				t.Errorf("want %q and no %q in %s", row.has, row.hasNot, page)
			}
		})
	}
}

func TestEveryTokenSaysWhatItIsGoodFor(t *testing.T) {
	held := shared.Holdings{Tokens: []shared.TokenFacts{
		{Kind: shared.TokenAccess, Fingerprint: "aaaaaaaa", Expires: time.Now().Add(time.Hour).Unix()},
		{Kind: shared.TokenRefresh, Fingerprint: "bbbbbbbb"}, {Kind: shared.TokenID, Fingerprint: "cccccccc"},
	}}
	says := map[string]string{}
	walk(parse(t, ui.RenderHeld(held, states()["signed in"])), func(n *html.Node) {
		if kind := attr(n, "data-kind"); kind != "" {
			var text strings.Builder
			for d := range n.Descendants() {
				if d.Type == html.TextNode {
					text.WriteString(d.Data)
				}
			}
			says[kind] = text.String()
		}
	})
	for kind, want := range map[string]string{
		shared.TokenAccess: "Good for: ", shared.TokenRefresh: "as long as the provider lets it", shared.TokenID: "Proof of the sign-in",
	} {
		if !strings.Contains(says[kind], want) {
			t.Errorf("%s says %q, want %q", kind, says[kind], want)
		}
	}
	if strings.Contains(says[shared.TokenID], "Good for") {
		t.Errorf("the ID token is said to last: %q", says[shared.TokenID])
	}
}

func TestATokenForOneAPISaysWhichOne(t *testing.T) {
	for _, row := range []struct {
		name  string
		token shared.TokenFacts
		has   string
	}{
		{"by its resource", shared.TokenFacts{Resource: "https://billing.example"}, "For https://billing.example<"},
		{"by its scopes", shared.TokenFacts{Scopes: []string{"read", "write"}}, "For read write<"},
		{"by both", shared.TokenFacts{Resource: "https://billing.example", Scopes: []string{"read"}}, "For https://billing.example (read)<"},
		{"the session's own says nothing", shared.TokenFacts{}, "Good for: as long as the provider lets it<"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.token.Kind, row.token.Fingerprint = shared.TokenAccess, "aaaaaaaa"
			held := shared.Holdings{Tokens: []shared.TokenFacts{row.token}}
			pages := map[string]string{"inspector": ui.RenderHeld(held, states()["signed in"])}
			if row.token.Further() {
				pages["session"] = ui.RenderSession(held, states()["signed in"])
			} else if strings.Contains(pages["inspector"], ">For ") {
				t.Error("the session's own token is said to be for one API")
			}
			for name, page := range pages {
				if !strings.Contains(page, row.has) {
					t.Errorf("%s: want %q in %s", name, row.has, page)
				}
			}
		})
	}
}

func TestTheListOfSessionsSaysWhatItKnows(t *testing.T) {
	three := []ui.DeviceRow{
		{Device: shared.Device{Handle: "h1", Current: true, UserAgent: firefoxOnLinux, Address: "203.0.113.0/24"}},
		{Device: shared.Device{Handle: "h2", UserAgent: `<img src=x onerror="alert(1)">`, Address: `"><b>`}, Asking: true},
		{Device: shared.Device{Handle: "h3"}},
	}
	failure := ui.Failure{Fault: ui.FaultDown, Title: "The session store does not answer"}
	for _, row := range []struct {
		name    string
		model   ui.Devices
		session string
		has     []string
		hasNot  []string
	}{
		{"loading", ui.Devices{}, "signed in", []string{"Loading", `data-phase="loading"`}, []string{"End all others"}},
		{"no list", ui.Devices{Phase: ui.Ready}, "signed in", []string{"keeps no list"}, []string{"<ul"}},
		{"failed", ui.Devices{Phase: ui.Failed, Failure: failure}, "signed in", []string{"could not be read", "Try again"}, nil},
		{"failed while the server is down: its banner has the button", ui.Devices{Phase: ui.Failed, Failure: failure}, "down while somebody is there", []string{"could not be read"}, []string{"Try again"}},
		{"three", ui.Devices{Phase: ui.Ready, Rows: three}, "signed in", []string{"Firefox on Linux", "this one", "203.0.113.0/24", "End all others", `id="devices-confirm"`, "An unknown browser"}, []string{"<img", "<b>", `id="end-h1"`}},
		{"two need no button for all", ui.Devices{Phase: ui.Ready, Rows: three[:2]}, "signed in", []string{"devices-confirm"}, []string{"End all others"}},
		{"all others asked about", ui.Devices{Phase: ui.Ready, Rows: three, AskingOthers: true}, "signed in", []string{"End all 2", "Keep all other sessions"}, []string{"End all others"}},
		{"a bad end is an alert", ui.Devices{Phase: ui.Ready, Notice: ui.Notice{Bad: true, Text: "Nothing was ended."}}, "signed in", []string{`role="alert"`}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := ui.RenderDevices(row.model, states()[row.session])
			for _, want := range row.has {
				if !strings.Contains(page, want) {
					t.Errorf("no %q in %s", want, page)
				}
			}
			for _, unwanted := range row.hasNot {
				if strings.Contains(page, unwanted) {
					t.Errorf("%q in %s", unwanted, page)
				}
			}
		})
	}
}

func TestTheQuestionIsADialogThatSaysWhatItAsks(t *testing.T) {
	in := states()["signed in"]
	for _, row := range []struct {
		name     string
		question ui.Question
		title    string
		has      string
		hasNot   string
	}{
		{"not put", ui.Question{}, "", "", "Stay signed in"},
		{"put", ui.Question{Open: true}, "Stay signed in?", `href="/bff/logout?sid=1"`, "One moment"},
		{"answered", ui.Question{Open: true, Busy: true}, "Stay signed in?", "One moment", ">Stay signed in<"},
		{"failed", ui.Question{Open: true, Failure: ui.Failure{Fault: ui.FaultDown, Title: "No answer"}}, "Stay signed in?", `role="alert"`, "One moment"},
		{"at the last end", ui.Question{Open: true, Final: true}, "This session is at its end", `href="/bff/login?returnUrl=%2Forders"`, "Stay signed in"},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := ui.RenderQuestion(row.question, in)
			named := map[string]string{}
			var dialog *html.Node
			walk(parse(t, page), func(n *html.Node) {
				if n.Data == "dialog" {
					dialog = n
				}
				if id := attr(n, "id"); id != "" && n.FirstChild != nil {
					named[id] = n.FirstChild.Data
				}
			})
			if dialog == nil || attr(dialog, "role") != "alertdialog" {
				t.Fatalf("no dialog in %s", page)
			}
			title, text := named[attr(dialog, "aria-labelledby")], named[attr(dialog, "aria-describedby")]
			for _, a := range dialog.Attr {
				if a.Key == "open" {
					t.Error("a dialog that is open from the start is not modal")
				}
			}
			if strings.TrimSpace(title) != row.title || row.question.Open != (text != "") {
				t.Errorf("named %q, described %q", title, text)
			}
			if !strings.Contains(page, row.has) || strings.Contains(page, row.hasNot) {
				t.Errorf("want %q and no %q in %s", row.has, row.hasNot, page)
			}
		})
	}
}

func TestTheSessionPageTellsItsClocksApart(t *testing.T) {
	later := time.Now().Add(time.Hour).Unix()
	page := ui.RenderSession(shared.Holdings{
		Session: shared.SessionFacts{IdleExpires: later, AbsoluteExpires: later},
		Tokens:  []shared.TokenFacts{{Kind: shared.TokenAccess, Expires: later}, {Kind: shared.TokenRefresh}},
	}, states()["signed in"])
	clocks := map[string]int{}
	walk(parse(t, page), func(n *html.Node) {
		if id := attr(n, "data-lifetime"); id != "" {
			walk(n, func(c *html.Node) {
				if attr(c, "role") == "timer" {
					clocks[id]++
				}
			})
			clocks[id] += 0
		}
	})
	if diff := cmp.Diff(map[string]int{"idle": 1, "absolute": 1, "access": 1, "refresh": 0}, clocks); diff != "" {
		t.Errorf("clocks (-want +got):\n%s", diff)
	}
	if !strings.Contains(page, "Only the provider knows") {
		t.Error("an end that nobody told is not said to be unknown")
	}
}

func TestNothingIsScannedAgainBeforeItWasScanned(t *testing.T) {
	for _, session := range states() {
		walk(parse(t, ui.RenderShell("/inspector", session)), func(n *html.Node) {
			disabled := false
			for _, a := range n.Attr {
				disabled = disabled || a.Key == "disabled"
			}
			if attr(n, "id") == "scan-again" && !disabled {
				t.Error("the button looks ready before anything ran")
			}
		})
	}
}

func TestOnlyThePageWithAFormSpeaksOfWhatWasTyped(t *testing.T) {
	expired := states()["expired"]
	for _, page := range ui.Paths() {
		if strings.Contains(ui.RenderShell(page, expired), "typed") {
			t.Errorf("%s promises to keep what nobody could type", page)
		}
	}
	if page := ui.RenderOrders(ui.Orders{Draft: ui.Draft{Item: "half a scarf"}}, expired); !strings.Contains(page, "half a scarf") {
		t.Error("the orders' page does not say that the unsent order is kept")
	}
}

func TestFoundTokensAreShownRed(t *testing.T) {
	report := `{"sources":[{"id":"localStorage","count":1,"items":[{"name":"t","value":"eyJh…x","bytes":150,"token":true}],
		"tokens":[{"stub":"eyJh…x","bytes":150,"alg":"RS256","claims":"{\"sub\":\"<i>\"}","copies":2}]},
		{"id":"memory","count":7340032,"items":[],"tokens":[]},{"id":"caches","note":"took too long","failed":true}],"millis":9}`
	found, err := ui.ReadFindings(report)
	if err != nil {
		t.Fatal(err)
	}
	if found.Tokens() != 1 || found.Verdict() != "A script in this page can take 1 token." {
		t.Errorf("%d tokens: %s", found.Tokens(), found.Verdict())
	}
	alarms := map[string]bool{}
	walk(parse(t, ui.RenderFindings(found)), func(n *html.Node) {
		if source := attr(n, "data-source"); source != "" {
			alarms[source] = strings.Contains(attr(n, "class"), "alarm")
		}
		if n.Data == "i" {
			t.Error("a claim was taken for markup")
		}
	})
	if !alarms["localStorage"] || alarms["memory"] || len(alarms) != 3 {
		t.Errorf("alarms: %v", alarms)
	}
}

func TestTheVerdictClaimsNoMoreThanWasRead(t *testing.T) {
	for _, row := range []struct {
		name, report, want string
	}{
		{"all read, nothing found", `{"sources":[{"id":"cookie"}]}`, "No token in reach of script."},
		{"one place not read", `{"sources":[{"id":"cookie"},{"id":"caches","failed":true}]}`, "No token in what could be read; 1 place could not."},
		{"two found", `{"sources":[{"id":"cookie","tokens":[{},{}]}]}`, "A script in this page can take 2 tokens."},
	} {
		found, err := ui.ReadFindings(row.report)
		if err != nil {
			t.Fatal(err)
		}
		if got := found.Verdict(); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	if _, err := ui.ReadFindings("not json"); err == nil {
		t.Error("a broken report was taken")
	}
}

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		ui.Left(-time.Second): "0 s", ui.Left(59 * time.Second): "59 s", ui.Left(61 * time.Second): "1 min 01 s",
		ui.Left(2*time.Hour + 5*time.Minute): "2 h 05 min",
		ui.Number(1234567):                   "1,234,567", ui.Number(-1000): "-1,000", ui.Number(999): "999",
		ui.Count(1, "token"): "1 token", ui.Count(0, "token"): "0 tokens",
		ui.Size(1): "1 byte", ui.Size(1034): "1,034 bytes", ui.Size(20 << 10): "20.0 kB", ui.Size(7 << 20): "7.0 MB",
		ui.ClaimText(shared.Claim{Type: "amr", Value: []any{"pwd", true}}):           "pwd, yes",
		ui.ClaimText(shared.Claim{Type: "address", Value: map[string]any{"a": "b"}}): `{"a":"b"}`,
		ui.ClaimText(shared.Claim{Type: "n", Value: float64(3)}):                     "3",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
