package observe

import (
	"io"
	"log/slog"
	"regexp"
	"strings"

	"cloakroom/bff/secret"
)

// NewLogger returns a logger that writes JSON, or text lines if format is
// "text", from level up, and blots out what looks like a token. Where w is Lines,
// an Access holds its own back.
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	handler := newHandler(w, level, format, redact)
	if lines, ok := w.(*Lines); ok {
		handler = prompt{handler, accessLog{newHandler(w, level, format, nil), lines, format != "text"}}
	}
	return slog.New(handler)
}

func newHandler(w io.Writer, level slog.Level, format string, replace func([]string, slog.Attr) slog.Attr) slog.Handler {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: replace}
	if format == "text" {
		return slog.NewTextHandler(w, options)
	}
	return slog.NewJSONHandler(w, options)
}

// tokenLike is a JWT (two base64url parts at least), the credentials of an
// Authorization header, or a token or code in a query or form.
var tokenLike = regexp.MustCompile(
	`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+` +
		`|(?i:bearer|dpop|basic)\s+[A-Za-z0-9+/_.~=-]{8,}` +
		`|(?i:access_token|refresh_token|id_token|id_token_hint|logout_token|client_secret|code|code_verifier|state|password)=[^&\s"]+`)

func redact(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Redact(v.String()))
	case slog.KindAny:
		switch v := v.Any().(type) {
		case error:
			a.Value = slog.StringValue(Redact(v.Error()))
		case slog.Level:
			a.Value = slog.StringValue(v.String()) // as it would be written, without an encoder of its own
		}
	}
	return a
}

// Redact blots out what looks like a token in text.
func Redact(text string) string {
	if !suspect(text) {
		return text
	}
	return tokenLike.ReplaceAllString(text, secret.Redacted)
}

// suspect reports whether text has what every match of tokenLike has: a space, an
// equals sign, or the begin of a JWT. Paths, routes and addresses have none of
// them, and to look for these costs a fraction of the expression.
func suspect(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == '=' {
			return true
		}
	}
	return strings.Contains(text, "eyJ")
}
