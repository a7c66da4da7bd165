package stage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// Load is one answer as the browser used it, wherever it came from.
type Load struct {
	URL, Type, MIME string
	Status          int
	// Cached: the wire was not used, or only to be told that nothing changed.
	Cached bool
	// Blocked are the cookies the browser did not store or send, and why.
	Blocked []BlockedCookie
	id      network.RequestID
}

// BlockedCookie is a cookie that the browser refused to store or to send.
type BlockedCookie struct {
	Name   string
	Stored bool // it was refused when it was to be stored, not when sent
	Why    []string
}

// Loads lists what the tabs loaded so far.
func (b *Browser) Loads() []Load {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Load, len(b.loads))
	for i, one := range b.loads {
		list[i] = *one
		list[i].Blocked = slices.Clone(one.Blocked)
	}
	return list
}

// watch takes in what a tab reports. It runs in the loop that reads the
// browser's messages, so it only writes down.
func (b *Browser) watch(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		var parts []string
		for _, arg := range e.Args {
			parts = append(parts, remote(arg))
		}
		b.messages = append(b.messages, Message{Kind: "console", Level: string(e.Type), Text: strings.Join(parts, " ")})
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + remote(e.ExceptionDetails.Exception)
		}
		b.messages = append(b.messages, Message{Kind: "exception", Level: "error", Text: text, URL: e.ExceptionDetails.URL})
	case *log.EventEntryAdded:
		b.messages = append(b.messages, Message{
			Kind: "log", Level: string(e.Entry.Level), Source: string(e.Entry.Source), Text: e.Entry.Text, URL: e.Entry.URL,
		})
	case *audits.EventIssueAdded:
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			b.messages = append(b.messages, Message{
				Kind: "csp", Level: "error", Source: csp.ViolatedDirective,
				Text: string(csp.ContentSecurityPolicyViolationType), URL: csp.BlockedURL,
			})
		}
	case *network.EventWebSocketFrameSent:
		b.frames = append(b.frames, string(e.Response.PayloadData))
	case *network.EventWebSocketFrameReceived:
		b.frames = append(b.frames, string(e.Response.PayloadData))
	default:
		b.watchLoad(event)
	}
}

func (b *Browser) watchLoad(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.RedirectResponse != nil {
			b.load(e.RequestID).Status = int(e.RedirectResponse.Status)
		}
		b.loads = append(b.loads, &Load{id: e.RequestID, URL: e.Request.URL, Type: string(e.Type)})
	case *network.EventRequestServedFromCache:
		b.load(e.RequestID).Cached = true
	case *network.EventResponseReceived:
		one := b.load(e.RequestID)
		one.URL, one.MIME, one.Status = e.Response.URL, e.Response.MimeType, int(e.Response.Status)
		one.Cached = one.Cached || e.Response.FromDiskCache
	case *network.EventRequestWillBeSentExtraInfo:
		for _, c := range e.AssociatedCookies {
			if len(c.BlockedReasons) > 0 && c.Cookie != nil {
				one := b.load(e.RequestID)
				one.Blocked = append(one.Blocked, BlockedCookie{Name: c.Cookie.Name, Why: words(c.BlockedReasons)})
			}
		}
	case *network.EventResponseReceivedExtraInfo:
		for _, c := range e.BlockedCookies {
			one := b.load(e.RequestID)
			name, _, _ := strings.Cut(c.CookieLine, "=")
			one.Blocked = append(one.Blocked, BlockedCookie{Name: name, Stored: true, Why: words(c.BlockedReasons)})
		}
	}
}

// load is the last load of a request: every redirect is one of its own under
// the same ID.
func (b *Browser) load(id network.RequestID) *Load {
	for _, one := range slices.Backward(b.loads) {
		if one.id == id {
			return one
		}
	}
	one := &Load{id: id}
	b.loads = append(b.loads, one)
	return one
}

func words[S ~string](list []S) []string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

func remote(o *runtime.RemoteObject) string {
	if o.Description != "" {
		return o.Description
	}
	if len(o.Value) > 0 {
		return string(o.Value)
	}
	return fmt.Sprint(o.UnserializableValue)
}
