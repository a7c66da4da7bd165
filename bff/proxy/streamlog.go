package proxy

import (
	"context"
	"log/slog"
	"regexp"
	"strings"

	"cloakroom/bff/secret"
)

// streamLog takes what ReverseProxy says about streams that broke after they
// began. It does not know which request it is about, so it masks whatever
// could be a token.
type streamLog struct{ log *slog.Logger }

// tokenLike is a run of the characters of a token (RFC 6750 §2.1), longer than
// addresses and words are.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9._~+/=-]{32,}`)

func (s streamLog) Write(line []byte) (int, error) {
	cause := tokenLike.ReplaceAllString(strings.TrimSpace(string(line)), secret.Redacted)
	s.log.LogAttrs(context.Background(), slog.LevelWarn, "stream broken", slog.String("cause", cause))
	return len(line), nil
}
