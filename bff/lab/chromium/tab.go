package chromium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"cloakroom/bff/lab/attack"
)

// tab is one page of a Browser.
type tab struct{ ctx context.Context }

var _ attack.Browser = (*tab)(nil)

// openTab opens the tab of a context, and with the first one the browser.
func openTab(ctx context.Context) (*tab, error) {
	if err := chromedp.Do(ctx); err != nil {
		return nil, err
	}
	t := &tab{ctx}
	// Every tab believes that it is seen, as one of a person's would be.
	_, err := call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return t, err
}

// during makes a context for one command: the tab's, for as long as ctx, and
// patience, last.
func (t *tab) during(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithTimeout(t.ctx, patience)
	stop := context.AfterFunc(ctx, cancel)
	return bounded, func() {
		stop()
		cancel()
	}
}

// call sends a command of the browser's protocol to a tab.
func call[P, R any](ctx context.Context, t *tab, command cdp.Command[P, R], params P) (R, error) {
	bounded, done := t.during(ctx)
	defer done()
	result, err := chromedp.Call(bounded, command, params)
	if err != nil {
		return result, fmt.Errorf("chromium: %s: %w", command.Method, err)
	}
	return result, nil
}

// attempts at an address: a page that leaves at that very moment breaks one off.
const attempts = 3

// Go navigates as a person does who types an address, and who stops what does
// not load: until then the tab would answer nothing.
func (t *tab) Go(ctx context.Context, address string) error {
	bounded, done := t.during(ctx)
	defer done()
	var err error
	for range attempts {
		if err = chromedp.Do(bounded, chromedp.Navigate(address)); err == nil {
			return nil
		}
		if !strings.Contains(err.Error(), "net::ERR_ABORTED") {
			break
		}
	}
	_, stopping := call(context.WithoutCancel(ctx), t, page.StopLoading, cdp.Empty{})
	return fmt.Errorf("chromium: navigate: %w", errors.Join(err, stopping))
}

// Run runs an expression. It is not bound by the page's policy against eval;
// what it calls is.
func (t *tab) Run(ctx context.Context, expression string, out any) error {
	byValue := out != nil
	got, err := call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: &byValue})
	switch {
	case err != nil:
		return err
	case got.ExceptionDetails != nil:
		text := got.ExceptionDetails.Text
		if thrown := got.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		return fmt.Errorf("chromium: the page threw: %s", text)
	case out == nil:
		return nil
	case len(got.Result.Value) == 0:
		return errors.New("chromium: the value is undefined")
	}
	if err := json.Unmarshal(got.Result.Value, out); err != nil {
		return fmt.Errorf("chromium: read the value: %w", err)
	}
	return nil
}

// Cookies are those the browser would send to an origin, whatever their path.
func (t *tab) Cookies(ctx context.Context, origin string) ([]*http.Cookie, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("chromium: cookies: %w", err)
	}
	jar, err := call(ctx, t, storage.GetCookies, storage.GetCookiesParams{})
	if err != nil {
		return nil, err
	}
	var list []*http.Cookie
	for _, c := range jar.Cookies {
		if covers(c.Domain, u.Hostname()) {
			list = append(list, &http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	return list, nil
}

// Forget empties an origin's stores and ends its workers.
func (t *tab) Forget(ctx context.Context, origin string) error {
	_, err := call(ctx, t, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: origin, StorageTypes: "all"})
	return err
}

// front brings the tab to the front.
func (t *tab) front(ctx context.Context) error {
	_, err := call(ctx, t, page.BringToFront, cdp.Empty{})
	return err
}
