package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"cloakroom/bff/secret"
)

// serverLog is where the embedded server logs to.
type serverLog struct {
	log     *slog.Logger
	secrets *strings.Replacer

	once   sync.Once
	failed chan struct{} // closed when the server gave up, by err
	err    error
}

// newServerLog returns a log in which the secrets do not appear.
func newServerLog(log *slog.Logger, secrets ...string) *serverLog {
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, secret.Redacted)
		}
	}
	return &serverLog{log: log, secrets: strings.NewReplacer(pairs...), failed: make(chan struct{})}
}

// failure is why the server gave up, if it did.
func (l *serverLog) failure() error {
	select {
	case <-l.failed:
		return l.err
	default:
		return nil
	}
}

// What the server calls an error is mostly a neighbour that is not there yet.
func (l *serverLog) Errorf(format string, v ...any)  { l.log.Warn(serverLine, l.line(format, v)) }
func (l *serverLog) Warnf(format string, v ...any)   { l.log.Info(serverLine, l.line(format, v)) }
func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug(serverLine, l.line(format, v)) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

// Fatalf is called once the server cannot go on; it does not end the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	line := l.line(format, v)
	l.log.Error(serverLine, line)
	l.once.Do(func() {
		l.err = errors.New(line.Value.String())
		close(l.failed)
	})
}

const serverLine = "embedded nats server"

// subjects have IDs in them.
var subjects = regexp.MustCompile(`\$KV\.[^\s'",]+`)

func (l *serverLog) line(format string, v []any) slog.Attr {
	text := subjects.ReplaceAllString(fmt.Sprintf(format, v...), "$$KV."+secret.Redacted)
	return slog.String("line", l.secrets.Replace(text))
}
