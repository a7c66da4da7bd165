package observe

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// holdTime is how long a line of the access log may wait for others.
	holdTime = 100 * time.Millisecond
	// holdMost is how many bytes wait at most: what one write puts into a pipe in
	// one piece (PIPE_BUF on Linux), so that several processes may share it.
	holdMost = 4 << 10
)

// Lines holds the lines of the access log back for a moment, to write many at
// once: a write for each is a system call for each request. Every other line is
// written at once, after those that came before it. Lines stay whole and in their
// order.
type Lines struct {
	to io.Writer

	mu    sync.Mutex
	held  []byte
	timer *time.Timer
}

// HoldLines returns a writer for NewLogger. Whoever stops must Flush it.
func HoldLines(to io.Writer) *Lines {
	l := &Lines{to: to, held: make([]byte, 0, holdMost)}
	l.timer = time.AfterFunc(holdTime, func() { _ = l.Flush() })
	return l
}

// Write implements io.Writer, of whole lines.
func (l *Lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if len(l.held)+len(line) > holdMost {
		err = l.flush()
	}
	if len(line) > holdMost {
		_, tooLong := l.to.Write(line)
		return len(line), errors.Join(err, tooLong)
	}
	if len(l.held) == 0 {
		l.timer.Reset(holdTime)
	}
	l.held = append(l.held, line...)
	return len(line), err
}

// Flush writes what was held back.
func (l *Lines) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

func (l *Lines) flush() error {
	if len(l.held) == 0 {
		return nil
	}
	l.timer.Stop()
	_, err := l.to.Write(l.held)
	l.held = l.held[:0]
	return err
}

// prompt is a handler whose lines are not held back.
type prompt struct {
	slog.Handler
	held  slog.Handler // writes those that are, and blots nothing out
	lines *Lines
}

func (p prompt) Handle(ctx context.Context, r slog.Record) error {
	return errors.Join(p.Handler.Handle(ctx, r), p.lines.Flush())
}

func (p prompt) WithAttrs(attrs []slog.Attr) slog.Handler {
	return prompt{p.Handler.WithAttrs(attrs), p.held.WithAttrs(attrs), p.lines}
}

func (p prompt) WithGroup(name string) slog.Handler {
	return prompt{p.Handler.WithGroup(name), p.held.WithGroup(name), p.lines}
}

// unhurried is the handler of log for lines that may be held back, in which
// nothing is left to blot out.
func unhurried(log *slog.Logger) slog.Handler {
	if p, ok := log.Handler().(prompt); ok {
		return p.held
	}
	return log.Handler()
}
