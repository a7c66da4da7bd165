package stage

import (
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Opened does something that has a page open a window, and returns the window
// once its address begins with prefix. It is a tab like any other.
func (tab *Tab) Opened(prefix string, open func()) *Tab {
	tab.t.Helper()
	found := chromedp.WaitNewTarget(tab.ctx, func(info *target.Info) bool {
		return info.Type == "page" && strings.HasPrefix(info.URL, prefix)
	})
	open()
	select {
	case id := <-found:
		ctx, _ := chromedp.NewContext(tab.Browser.root, chromedp.WithTargetID(id), chromedp.WithListener(tab.Browser.watch)) // ends with the browser
		opened := &Tab{Browser: tab.Browser, t: tab.t, ctx: ctx}
		if err := chromedp.Do(ctx); err != nil {
			tab.t.Fatalf("stage: attach to a window: %v", err)
		}
		do(opened, network.Enable, network.EnableParams{})
		do(opened, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return opened
	case <-time.After(Patience):
		tab.t.Fatalf("stage: no window opened at %s", prefix)
		return nil
	}
}
