package play

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"cloakroom/bff/lab/visitor"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// outcome is how a request was answered.
type outcome int

const (
	served outcome = iota
	refused
	declared
	failed
)

// request is one that was answered, or not.
type request struct {
	began time.Time
	took  time.Duration
	as    outcome
}

func (r request) ended() time.Time { return r.began.Add(r.took) }

// bad is an answer that a person would complain of, unless they are not signed in
// any more.
func (r request) bad() bool { return r.as == declared || r.as == failed }

// book is what the crowd saw.
type book struct {
	mu       sync.Mutex
	requests []request
	wrongs   []lab.Wrong
	notes    []string // of failures, each once
}

// mostNotes bounds what is kept of failures that differ.
const mostNotes = 8

func (b *book) add(r request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r)
}

func (b *book) wrong(rule lab.Rule, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.wrongs {
		if b.wrongs[i].Rule == rule {
			b.wrongs[i].Times++
			return
		}
	}
	b.wrongs = append(b.wrongs, lab.Wrong{Rule: rule, Saw: fmt.Sprintf(format, args...), Times: 1})
}

func (b *book) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if len(b.notes) < mostNotes && !slices.Contains(b.notes, text) {
		b.notes = append(b.notes, text)
	}
}

// since is what was seen so far of requests that began at or after a moment.
func (b *book) since(t time.Time) []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []request
	for _, r := range b.requests {
		if !r.began.Before(t) {
			list = append(list, r)
		}
	}
	return list
}

// lastBad is when the last bad answer came; zero: none did since.
func (b *book) lastBad(since time.Time) (last time.Time) {
	for _, r := range b.since(since) {
		if r.bad() && r.ended().After(last) {
			last = r.ended()
		}
	}
	return last
}

// paths are what a guest asks for in turn: the session alone, and the API by way
// of it.
var paths = []string{shared.PathUser, "/api/orders?limit=1"}

// ask makes one call and judges its answer.
func (c *Crowd) ask(ctx context.Context, g *guest, path string) outcome {
	began := time.Now()
	got, err := g.Call(ctx, path)
	r := request{began: began, took: time.Since(began)}
	if err != nil {
		if ctx.Err() != nil {
			return served // it was told to stop; it counts for nothing
		}
		c.book.note("no answer to GET %s: %v", path, err)
		r.as = failed
	} else {
		r.as = c.judge(g, path, got)
	}
	c.book.add(r)
	return r.as
}

// judge says how an answer is, and notes what is wrong with it.
func (c *Crowd) judge(g *guest, path string, got visitor.Answer) outcome {
	switch {
	case got.Status == http.StatusOK:
		if why := another(g, path, got); why != "" {
			c.book.wrong(lab.NotAnother, "GET %s by %s: %s", path, g.person.User, why)
		}
		return served
	case got.Status == http.StatusUnauthorized:
		return refused
	}
	return c.complaint("GET "+path, got)
}

// complaint is an answer that is neither good nor a refusal.
func (c *Crowd) complaint(what string, got visitor.Answer) outcome {
	switch {
	case got.Status == http.StatusServiceUnavailable && (got.Retry || got.Code != "" || c.terse):
		c.book.note("%s was answered 503 %s", what, got.Code)
		return declared // by Cloakroom or, where it has words of its own, by the balancer
	case got.Status >= 500:
		c.book.wrong(lab.Not5xx, "%s was answered %d %s", what, got.Status, got.Code)
	}
	c.book.note("%s was answered %d %s", what, got.Status, got.Code)
	return failed
}

// another says for whom an answer is, if that is not who asked; "": it is.
func another(g *guest, path string, got visitor.Answer) string {
	if path == shared.PathUser {
		subject, logout := got.Who()
		switch {
		case subject != g.person.Subject:
			return fmt.Sprintf("it is for %q", subject)
		case logout != g.Logout:
			return "it is of another session"
		}
		return ""
	}
	var page shared.OrderPage
	if err := json.Unmarshal([]byte(got.Body), &page); err != nil || page.Total != g.person.Orders {
		return fmt.Sprintf("the orders are those of who has %d, not %d", page.Total, g.person.Orders)
	}
	return ""
}
