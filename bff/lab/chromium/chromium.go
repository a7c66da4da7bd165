package chromium

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"cloakroom/bff/lab/attack"
)

// patience bounds every wait for the browser.
const patience = 30 * time.Second

// programs are the names under which it is looked for, unless the environment
// variable CHROMIUM names another.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// Find returns the path of the browser's program. Its error says how to get it.
func Find() (string, error) {
	if named := os.Getenv("CHROMIUM"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("chromium: the environment variable CHROMIUM names no program: %w", err)
		}
		return path, nil
	}
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium: it is not installed: apt-get install chromium, or name one in the environment variable CHROMIUM")
}

// Browser is a running Chromium with one tab in front. Use it from one
// goroutine at a time.
type Browser struct {
	*tab
	program string
	folder  string // of the profile
	stop    context.CancelFunc
}

var (
	_ attack.Browser = (*Browser)(nil)
	_ attack.Tabs    = (*Browser)(nil)
	_ attack.Profile = (*Browser)(nil)
)

// Open starts a browser with an empty profile; Close ends it. ctx bounds the
// start only.
func Open(ctx context.Context) (*Browser, error) {
	program, err := Find()
	if err != nil {
		return nil, err
	}
	b := &Browser{program: program}
	if b.folder, err = os.MkdirTemp("", "cloakroom-chromium-"); err != nil {
		return nil, fmt.Errorf("chromium: profile: %w", err)
	}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return b, nil
}

// start runs the browser with the profile as it is.
func (b *Browser) start(ctx context.Context) error {
	allocator, stop := chromedp.NewExecAllocator(context.Background(), b.switches()...)
	root, _ := chromedp.NewContext(allocator) // ends with the allocator's
	// The first call's context is the browser's for life, so no deadline of ours
	// may be in it: what bounds the start, stops the browser.
	slow := time.AfterFunc(patience, stop)
	given := context.AfterFunc(ctx, stop)
	first, err := openTab(root)
	if slow.Stop() && given() && err == nil {
		b.tab, b.stop = first, stop
		return nil
	}
	stop()
	return fmt.Errorf("chromium: start %s: %w", b.program, cmp.Or(ctx.Err(), err, context.DeadlineExceeded))
}

// switches are a person's browser, but headless, on loopback alone, and with
// windows let open as after a click. As root there is no sandbox, since
// Chromium will not have it then; chromedp sees to that.
func (b *Browser) switches() []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(b.program), chromedp.UserDataDir(b.folder), chromedp.WindowSize(1280, 900),
		chromedp.Env("TZ=UTC", "LANGUAGE=en"),
		// No name is looked up: what is not below localhost leads nowhere.
		chromedp.Flag("host-resolver-rules", "MAP localhost 127.0.0.1, MAP *.localhost 127.0.0.1, MAP 127.0.0.1 127.0.0.1, MAP * ~NOTFOUND"),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,AutofillServerCommunication"),
		chromedp.Flag("password-store", "basic"), chromedp.Flag("lang", "en-US"),
	}
	for _, name := range []string{
		"headless", "disable-popup-blocking", "no-proxy-server", "disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps", "disable-extensions",
		"disable-breakpad", "disable-domain-reliability", "disable-client-side-phishing-detection", "disable-dev-shm-usage",
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
		"metrics-recording-only", "use-mock-keychain", "mute-audio",
	} {
		options = append(options, chromedp.Flag(name, true))
	}
	return options
}

// Version is product and version: "Chrome/140.0.7339.80".
func (b *Browser) Version(ctx context.Context) (string, error) {
	got, err := call(ctx, b.tab, browser.GetVersion, cdp.Empty{})
	return got.Product, err
}

// NewTab opens a tab in front of the others. It is of the same browser, and
// closing it brings the one before to the front again.
func (b *Browser) NewTab(ctx context.Context) (attack.Browser, func(), error) {
	before := b.tab
	child, cancel := chromedp.NewContext(before.ctx)
	given := context.AfterFunc(ctx, cancel)
	slow := time.AfterFunc(patience, cancel)
	opened, err := openTab(child)
	if given() && slow.Stop() && err == nil {
		return opened, func() {
			closing, done := context.WithTimeout(child, patience)
			defer done()
			_ = chromedp.Cancel(closing) // it may have closed itself
			_ = before.front(context.WithoutCancel(ctx))
		}, nil
	}
	cancel()
	return nil, nil, fmt.Errorf("chromium: open a tab: %w", cmp.Or(ctx.Err(), err, context.DeadlineExceeded))
}

// Restart closes the browser as a person does, so that it writes what it has
// to, calls closed with the profile's folder, and starts it again with the same
// profile. Other tabs are gone.
func (b *Browser) Restart(ctx context.Context, closed func(folder string) error) error {
	if err := b.quit(ctx); err != nil {
		return fmt.Errorf("chromium: close: %w", err)
	}
	if closed != nil {
		if err := closed(b.folder); err != nil {
			return errors.Join(err, b.start(ctx))
		}
	}
	return b.start(ctx)
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() error {
	_ = b.quit(context.Background()) // one that does not close is killed
	return b.remove()
}

// quit has the browser close itself, or kills it if it does not.
func (b *Browser) quit(ctx context.Context) error {
	defer b.stop()
	closing, done := b.tab.during(ctx)
	defer done()
	return chromedp.Cancel(closing)
}

// remove removes the profile. Children of the browser may write to it for a
// moment after the browser ended.
func (b *Browser) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := os.RemoveAll(b.folder)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("chromium: remove the profile: %w", err)
		case <-again.C:
		}
	}
}

// covers reports whether a cookie's domain, which begins with a dot unless the
// cookie is of one host alone, has host in it (RFC 6265 §5.1.3).
func covers(domain, host string) bool {
	parent, ok := strings.CutPrefix(domain, ".")
	return host == parent || ok && strings.HasSuffix(host, domain)
}
