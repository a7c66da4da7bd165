package config

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a configuration. The error of Load and Parse
// joins them, sorted; Message never holds a value.
type Problem struct {
	Source  string // the file's name, or the environment variable's
	Line    int    // 1-based; 0 for the environment and for the file as a whole
	Column  int    // 1-based; 0 like Line
	Key     string // dotted, as in "api[0].path"; "" for the source as a whole
	Message string
}

// Error prints file.yaml:12: session.idle_timeout: message.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Source != "" {
		b.WriteString(p.Source)
		if p.Line > 0 {
			b.WriteString(":" + strconv.Itoa(p.Line))
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// rank puts the environment after the file.
func (p *Problem) rank() int {
	if strings.HasPrefix(p.Source, envPrefix) {
		return 1
	}
	return 0
}

// place is where a key was given.
type place struct {
	source       string
	line, column int
}

// report collects problems. The first problem of a key silences later ones:
// they would only say again that it is wrong.
type report struct {
	problems []*Problem
	failed   map[string]bool
}

func newReport() *report { return &report{failed: map[string]bool{}} }

// add records a problem whatever else is wrong.
func (r *report) add(at place, key, message string) {
	r.problems = append(r.problems, &Problem{Source: at.source, Line: at.line, Column: at.column, Key: key, Message: message})
	r.failed[key] = true
}

// err joins the problems in reading order: the file by line, then the
// environment by name.
func (r *report) err() error {
	slices.SortStableFunc(r.problems, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Source, b.Source),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	errs := make([]error, len(r.problems))
	for i, p := range r.problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}
