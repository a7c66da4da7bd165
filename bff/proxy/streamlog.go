package proxy

import (
	"context"
	"log/slog"
	"regexp"
	"strings"

	"cloakroom/bff/secret"
)

// streamLog takes what ReverseProxy says about WebSockets.
type streamLog struct{ log *slog.Logger }

// tokenLike is a run of the characters of a token (RFC 6750 §2.1), longer than
// addresses and words are.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9._~+/=-]{32,}`)

func (s streamLog) Write(line []byte) (int, error) {
	s.log.LogAttrs(context.Background(), slog.LevelWarn, "stream broken", slog.String("cause", masked(strings.TrimSpace(string(line)))))
	return len(line), nil
}

// masked is what is said about a stream that broke after it began, without
// whatever could be a token: it may quote what the upstream sent.
func masked(cause string) string { return tokenLike.ReplaceAllString(cause, secret.Redacted) }
