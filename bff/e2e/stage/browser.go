package stage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// DefaultChromium is the browser, unless the environment variable CHROMIUM
// names another.
const DefaultChromium = "/usr/bin/chromium"

// BrowserOptions of a Browser. The zero value is a person's, but headless.
type BrowserOptions struct {
	// Hosts are further names, besides localhost and those below it, that lead
	// to loopback: "evil.example". All other names lead nowhere.
	Hosts []string
	// Flags are further switches, without their dashes. A value is a string or
	// a bool.
	Flags map[string]any
}

// Browser is one Chromium with a profile of its own.
type Browser struct {
	stage *Stage
	t     T
	tap   *tap
	root  context.Context
	// Profile is the folder of the profile, which is removed at the end.
	Profile string

	mu       sync.Mutex
	messages []Message
	loads    []*Load
	frames   []string
	forgiven []func(Message) bool
	first    *Tab // opened with the browser, handed out by the first NewTab
}

// Browser starts a Chromium that looks at this stage only, and ends with the test.
func (s *Stage) Browser(t T) *Browser {
	t.Helper()
	return s.BrowserWith(t, BrowserOptions{})
}

// BrowserWith is Browser with options.
func (s *Stage) BrowserWith(t T, o BrowserOptions) *Browser {
	t.Helper()
	path := DefaultChromium
	if named := os.Getenv("CHROMIUM"); named != "" {
		path = named
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Fatalf("there is no Chromium at %s (%v): run \"make chromium\", or name one in the environment variable CHROMIUM", path, err)
	}
	b := &Browser{stage: s, t: t}
	var err error
	if b.tap, err = newTap("127.0.0.1:" + s.port()); err != nil {
		t.Fatalf("stage: tap: %v", err)
	}
	t.Cleanup(b.tap.close)
	if b.Profile, err = os.MkdirTemp("", "cloakroom-e2e-"); err != nil {
		t.Fatalf("stage: profile: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(b.Profile) })

	root, kill := chromedp.NewExecAllocator(context.Background(), b.switches(path, o)...)
	t.Cleanup(kill)
	b.root = root
	first := b.open(t)
	b.first, b.root = first, first.ctx // later tabs are of the same browser
	t.Cleanup(func() {
		_ = chromedp.Cancel(first.ctx)
		b.complain()
	})
	return b
}

func (b *Browser) switches(path string, o BrowserOptions) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(b.Profile), chromedp.WindowSize(1280, 900),
		chromedp.Env("TZ=UTC", "LANGUAGE=en"),
		chromedp.Flag("host-resolver-rules", b.resolver(o.Hosts)),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,AutofillServerCommunication"),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("password-store", "basic"), chromedp.Flag("lang", "en-US"),
	}
	for _, name := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps", "disable-extensions",
		"disable-breakpad", "disable-domain-reliability", "disable-client-side-phishing-detection", "disable-dev-shm-usage",
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
		"metrics-recording-only", "use-mock-keychain", "mute-audio", "hide-scrollbars",
	} {
		options = append(options, chromedp.Flag(name, true))
	}
	for name, value := range o.Flags {
		options = append(options, chromedp.Flag(name, value))
	}
	return options
}

// resolver sends what is for the demo through the tap, leaves the rest of
// loopback alone, and leads every other name nowhere: no test touches a
// network.
func (b *Browser) resolver(hosts []string) string {
	port, tap := b.stage.port(), b.tap.listener.Addr().String()
	rules := []string{
		"MAP localhost:" + port + " " + tap, "MAP *.localhost:" + port + " " + tap,
		"MAP localhost 127.0.0.1", "MAP *.localhost 127.0.0.1", "MAP 127.0.0.1 127.0.0.1",
	}
	for _, host := range hosts {
		rules = append(rules, "MAP "+host+":"+port+" "+tap, "MAP "+host+" 127.0.0.1")
	}
	return strings.Join(append(rules, "MAP * ~NOTFOUND"), ", ")
}

// NewTab opens a tab on an empty page. Tabs of one browser share its cookies.
func (b *Browser) NewTab(t T) *Tab {
	t.Helper()
	b.mu.Lock()
	tab := b.first
	b.first = nil
	b.mu.Unlock()
	if tab != nil {
		tab.t = t
		return tab
	}
	return b.open(t)
}

// Cut breaks the browser's connections to the demo and refuses new ones, as if
// the server were gone, until Mend.
func (b *Browser) Cut() { b.tap.setCut(true) }

// Mend undoes Cut.
func (b *Browser) Mend() { b.tap.setCut(false) }

// Exchanges is everything that went over the wire between this browser and the
// demo so far, in the order in which it was asked for.
func (b *Browser) Exchanges() []Exchange { return b.tap.snapshot() }

// Sent lists the exchanges whose URL begins with prefix; one that begins with
// a slash is below the application's origin.
func (b *Browser) Sent(prefix string) []Exchange {
	if strings.HasPrefix(prefix, "/") {
		prefix = b.stage.Origin + prefix
	}
	var list []Exchange
	for _, one := range b.Exchanges() {
		if strings.HasPrefix(one.URL, prefix) {
			list = append(list, one)
		}
	}
	return list
}

// Messages is all that the tabs wrote to their consoles so far.
func (b *Browser) Messages() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Message(nil), b.messages...)
}

// Frames is the payload of every WebSocket frame so far, either way.
func (b *Browser) Frames() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.frames...)
}

// Forgive keeps messages that match from failing the test at its end.
func (b *Browser) Forgive(match func(Message) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgiven = append(b.forgiven, match)
}

// ForgiveText is Forgive for messages that contain a text.
func (b *Browser) ForgiveText(text string) {
	b.Forgive(func(m Message) bool { return strings.Contains(m.Text, text) || strings.Contains(m.URL, text) })
}

// Unforgiven lists the messages that are faults and were not forgiven.
func (b *Browser) Unforgiven() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Message
	for _, m := range b.messages {
		if m.fault() && !b.isForgiven(m) {
			list = append(list, m)
		}
	}
	return list
}

func (b *Browser) isForgiven(m Message) bool {
	for _, match := range b.forgiven {
		if match(m) {
			return true
		}
	}
	return false
}

func (b *Browser) complain() {
	for _, m := range b.Unforgiven() {
		b.t.Errorf("the browser complained: %v", m)
	}
}

// Message is something a page wrote to the console, threw, or did against its
// policy.
type Message struct {
	// Kind is "console", "exception", "log" or "csp".
	Kind, Level, Source, Text, URL string
}

func (m Message) String() string {
	return fmt.Sprintf("%s %s %s: %s %s", m.Kind, m.Level, m.Source, m.Text, m.URL)
}

// fault reports whether a message fails a test. What is not one: anything below
// an error, the note about a call that answers 401, which is how an SPA learns
// that nobody is signed in, and that a sign-out's Clear-Site-Data broke off the
// registration of a service worker, which it also undoes.
func (m Message) fault() bool {
	switch {
	case m.Kind == "exception" || m.Kind == "csp":
		return true
	case m.Source == "network" && strings.Contains(m.Text, "401 (Unauthorized)"):
		return false
	case m.Kind == "console" && strings.Contains(m.Text, "AbortError: Failed to register a ServiceWorker"):
		return false
	}
	return m.Level == "error"
}
