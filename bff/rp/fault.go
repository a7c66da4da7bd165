package rp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"cloakroom/shared/problem"
)

// fail is how every error leaves this package.
func fail(code problem.Code, verb string, err error) error {
	return problem.New(code, fmt.Errorf("rp: %s: %w", verb, err))
}

// wire says what is wrong when a request got no answer. ok is false when err is
// not of that kind. The cause it returns is safe to log: net/http's own errors
// may quote what the other side sent.
func wire(err error) (code problem.Code, cause error, ok bool) {
	var (
		client *url.Error
		status *statusError
		timed  net.Error
	)
	switch {
	case errors.As(err, &status):
		return problem.ProviderError, status, true
	case errors.Is(err, errBodyTooLarge):
		return problem.ProviderError, errBodyTooLarge, true
	case errors.Is(err, errRedirect):
		return problem.ProviderError, errRedirect, true
	case errors.Is(err, context.Canceled):
		return problem.ProviderUnavailable, context.Canceled, true
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return problem.ProviderTimeout, context.DeadlineExceeded, true
	case !errors.As(err, &client):
		return "", nil, false
	}
	return problem.ProviderUnavailable, connection(client.Err), true
}

// connection picks the part of err that this side wrote.
func connection(err error) error {
	var (
		op        *net.OpError
		dns       *net.DNSError
		errno     syscall.Errno
		untrusted *tls.CertificateVerificationError
		host      x509.HostnameError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &untrusted):
		return untrusted
	case errors.As(err, &host):
		return host
	case errors.As(err, &alert):
		return alert
	case errors.As(err, &record):
		return errors.New("the other side does not speak TLS")
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &op):
		return errors.New(op.Op + " failed")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	}
	return errors.New("the request failed")
}

// What a provider says is cut to these many bytes.
const (
	maxErrorCode   = 64
	maxDescription = 200
)

// said is what a provider answered instead of what was asked for, fit to be
// logged: its error code when it is one, its description scrubbed. secrets are
// what the request held and the answer might repeat.
func said(code, description string, secrets ...string) error {
	text := "no error code"
	if code != "" {
		text = "an error code that is none"
		if len(code) <= maxErrorCode && !strings.Contains(code, " ") && scrub(code, secrets...) == code {
			text = code
		}
	}
	if description = scrub(description, secrets...); description != "" {
		text += " (" + description + ")"
	}
	return errors.New(text)
}

// scrub takes known secrets and whatever looks like one out of text, keeps the
// characters RFC 6749 §5.2 allows, and cuts.
func scrub(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[redacted]")
			text = strings.ReplaceAll(text, url.QueryEscape(s), "[redacted]")
		}
	}
	words := strings.Fields(text)
	for i, word := range words {
		if len(word) >= 16 && !isPlain(word) {
			words[i] = "[redacted]"
		}
	}
	return printable(strings.Join(words, " "), maxDescription)
}

// isPlain reports whether word could come from a dictionary or a list of error
// codes. Tokens have digits, capitals, or no end.
func isPlain(word string) bool {
	for _, c := range []byte(word) {
		if !(c >= 'a' && c <= 'z') && !strings.ContainsRune("_-.,:;'()[]", rune(c)) {
			return false
		}
	}
	return len(word) < 40
}

// printable keeps the characters RFC 6749 §5.2 allows and cuts to limit bytes.
func printable(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
