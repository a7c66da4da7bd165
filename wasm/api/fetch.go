//go:build !js

package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// fetch is the call outside a browser: in tests, and in programs that are not
// pages.
func fetch(ctx context.Context, r request) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, fmt.Errorf("request: %w", err)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	client := http.Client{
		// As in the browser: a redirect is reported, not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(r.limit())+1))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	return answer{
		status:      res.StatusCode,
		contentType: res.Header.Get("Content-Type"),
		retryAfter:  res.Header.Get("Retry-After"),
		body:        body,
	}, nil
}
