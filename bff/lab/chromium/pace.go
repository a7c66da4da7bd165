package chromium

import (
	"context"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
)

// Pace is how a network is, as the developer tools set it.
type Pace struct {
	Latency  float64 // of a request, in milliseconds
	Down, Up float64 // bytes a second
}

// Slow makes the tab's network as slow as p.
func (b *Browser) Slow(ctx context.Context, p Pace) error {
	if _, err := call(ctx, b.tab, network.Enable, network.EnableParams{}); err != nil {
		return err
	}
	_, err := call(ctx, b.tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Latency: p.Latency, DownloadThroughput: p.Down, UploadThroughput: p.Up}},
	})
	return err
}

// Early runs a script in every document that the tab opens from now on, before
// anything of its own.
func (b *Browser) Early(ctx context.Context, script string) error {
	if _, err := call(ctx, b.tab, page.Enable, page.EnableParams{}); err != nil {
		return err
	}
	_, err := call(ctx, b.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	return err
}
