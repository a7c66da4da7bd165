//go:build !js

package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"

	"cloakroom/shared"
)

// stream reads server-sent events until the stream ends. It knows of the
// format what the BFF uses: "event" and "data", one line each (WHATWG HTML §9.2.6).
func stream(ctx context.Context, url string, got func(event string, data []byte)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Accept", typeEvents)
	req.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if head := (answer{contentType: res.Header.Get("Content-Type")}); res.StatusCode != http.StatusOK || !head.isType(typeEvents) {
		return fmt.Errorf("status %d, content type %q", res.StatusCode, head.contentType)
	}
	var event, data string
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "event":
			event = value
		case name == "data":
			data = value
		case lines.Text() == "" && data != "":
			got(event, []byte(data))
			event, data = "", ""
		}
	}
	return lines.Err()
}

// together listens alone: there are no tabs outside a browser.
func together(ctx context.Context, _ string, heard func(string, shared.SessionEvent), listen listening) error {
	return listen(ctx, heard)
}

// Tell tells the other tabs that listen to a session; outside a browser there
// are none.
func (c *Client) Tell(session, event string, e shared.SessionEvent) {}
