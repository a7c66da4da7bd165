package rp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxBody bounds every answer of the provider. Discovery documents and key sets
// are tens of kilobytes.
const maxBody = 1 << 20

var (
	errBodyTooLarge = errors.New("the answer is larger than 1 MiB")
	errRedirect     = errors.New("a redirect too many, or one from https to http")
)

// statusError is an answer that is an error.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the answer is HTTP %d", e.status) }

// bounded reads each answer whole, and no further than maxBody, before it hands
// it on. Whatever goes wrong on the wire is thus an error of RoundTrip, where
// its type survives; go-oidc would flatten it into text further on.
type bounded struct {
	base        http.RoundTripper
	failOnError bool // a status of 400 and above is a *statusError
}

func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if t.failOnError && resp.StatusCode >= 400 {
		return nil, &statusError{resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, errBodyTooLarge
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// clients returns the one that reads documents and the one that sends secrets.
func clients(from *http.Client, timeout time.Duration) (documents, endpoints *http.Client) {
	var base http.RoundTripper
	if from != nil {
		base = from.Transport
	}
	if base == nil {
		base = http.DefaultTransport
	}
	documents = &http.Client{
		Transport:     bounded{base: base, failOnError: true},
		CheckRedirect: checkRedirect,
		// go-oidc's key set ignores the deadline of whoever asks for a key, so
		// that one who leaves does not fail the others: the client needs its own.
		Timeout: timeout,
	}
	endpoints = &http.Client{
		Transport: bounded{base: base},
		// A followed redirect would send the code, the refresh token or the
		// client secret to wherever it points (RFC 9700 §4.12).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       timeout,
	}
	return documents, endpoints
}

// checkRedirect follows a document that has moved three times, never to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > 3 || via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errRedirect
	}
	return nil
}
