package balancer

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
)

// tableSize is how many sessions are remembered; the longest unused go first.
const tableSize = 500_000

// table remembers which instance set which session cookie, by a digest.
type table struct {
	mu     sync.Mutex
	size   int
	of     map[digest]*list.Element
	recent *list.List // of place, the last used in front
}

type digest = [sha256.Size]byte

type place struct {
	session  digest
	instance string
}

func newTable(size int) *table {
	return &table{size: size, of: map[digest]*list.Element{}, recent: list.New()}
}

func (t *table) learn(session digest, instance string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.of[session]; e != nil {
		e.Value = place{session, instance}
		t.recent.MoveToFront(e)
		return
	}
	t.of[session] = t.recent.PushFront(place{session, instance})
	if len(t.of) > t.size {
		last := t.recent.Back()
		delete(t.of, last.Value.(place).session)
		t.recent.Remove(last)
	}
}

// find names the instance that set a session's cookie; "": nobody was seen to.
func (t *table) find(session digest) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.of[session]
	if e == nil {
		return ""
	}
	t.recent.MoveToFront(e)
	return e.Value.(place).instance
}

// Fingerprint tells the sessions of two cookies apart without being of use to
// anybody: the first 64 bits of the SHA-256, in hex.
func Fingerprint(cookie string) string {
	if cookie == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(cookie))
	return hex.EncodeToString(sum[:8])
}

// cookieOf returns the value of a request's cookie; "" for none, and for two of
// the name, of which one may be somebody else's.
func cookieOf(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// withoutCookie takes one cookie out of what is sent on, and leaves the spelling
// of the others alone.
func withoutCookie(h http.Header, name string) {
	var kept []string
	for _, line := range h["Cookie"] {
		var pairs []string
		for pair := range strings.SplitSeq(line, ";") {
			if before, _, _ := strings.Cut(pair, "="); strings.TrimSpace(before) != name {
				pairs = append(pairs, strings.TrimSpace(pair))
			}
		}
		if len(pairs) > 0 {
			kept = append(kept, strings.Join(pairs, "; "))
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = kept
}

// cookieSet returns the value an answer gives a cookie; "" if it sets none, or
// deletes it.
func cookieSet(h http.Header, name string) string {
	for _, line := range h["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == name && c.MaxAge >= 0 {
			return c.Value
		}
	}
	return ""
}
