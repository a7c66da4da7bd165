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
	held accessLog // those that are, in which nothing is blotted out
}

func (p prompt) Handle(ctx context.Context, r slog.Record) error {
	return errors.Join(p.Handler.Handle(ctx, r), p.held.lines.Flush())
}

func (p prompt) WithAttrs(attrs []slog.Attr) slog.Handler {
	return prompt{p.Handler.WithAttrs(attrs), p.held.with(p.held.WithAttrs(attrs))}
}

func (p prompt) WithGroup(name string) slog.Handler {
	return prompt{p.Handler.WithGroup(name), p.held.with(p.held.WithGroup(name))}
}

// accessLog is where the lines of an Access go. They may be held back, and nothing
// in them is left to blot out.
type accessLog struct {
	slog.Handler
	lines *Lines // nil: nothing is held back
	plain bool   // a line is what entry.appendJSON makes, without attributes of the handler
}

// accessLogOf is that of log.
func accessLogOf(log *slog.Logger) accessLog {
	if p, ok := log.Handler().(prompt); ok {
		return p.held
	}
	return accessLog{Handler: log.Handler()}
}

func (l accessLog) with(h slog.Handler) accessLog { return accessLog{Handler: h, lines: l.lines} }

func (l accessLog) write(e *entry) {
	if l.plain {
		room := rooms.Get().(*[]byte)
		defer rooms.Put(room)
		line, ok := e.appendJSON((*room)[:0])
		*room = line
		if ok {
			_, _ = l.lines.Write(line)
			return
		}
	}
	_ = l.Handle(context.Background(), e.record())
}

// rooms lends room for lines.
var rooms = sync.Pool{New: func() any { return new([]byte) }}
