package ui

import (
	"encoding/json"
	"fmt"
)

// Findings is what the probe in the page read of everything a script can reach.
type Findings struct {
	Sources []Source `json:"sources"`
	Millis  int      `json:"millis"`
}

// Source is one place a script can read.
type Source struct {
	ID     string  `json:"id"`
	Count  int     `json:"count"` // entries; bytes for the memory
	Items  []Item  `json:"items"`
	Tokens []Found `json:"tokens"`
	Note   string  `json:"note"`
	Failed bool    `json:"failed"` // it could not be read to its end
}

// Item is one entry, shortened.
type Item struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Bytes int    `json:"bytes"`
	Token bool   `json:"token"`
}

// Found is a token in reach of script, cut short.
type Found struct {
	Stub   string `json:"stub"`
	Bytes  int    `json:"bytes"`
	Alg    string `json:"alg"`
	Claims string `json:"claims"` // the start of its payload
	Copies int    `json:"copies"`
}

// ReadFindings reads the probe's report.
func ReadFindings(report string) (Findings, error) {
	var f Findings
	if err := json.Unmarshal([]byte(report), &f); err != nil {
		return Findings{}, fmt.Errorf("ui: read findings: %w", err)
	}
	return f, nil
}

// Tokens counts the tokens found, per place: what is in two places can be taken in two.
func (f Findings) Tokens() int {
	n := 0
	for _, s := range f.Sources {
		n += len(s.Tokens)
	}
	return n
}

// Unread counts the places that could not be read to their end.
func (f Findings) Unread() int {
	n := 0
	for _, s := range f.Sources {
		if s.Failed {
			n++
		}
	}
	return n
}

// Verdict is the result in one sentence. It claims "none" only of what was read.
func (f Findings) Verdict() string {
	switch n := f.Tokens(); {
	case n == 1:
		return "A script in this page can take 1 token."
	case n > 1:
		return "A script in this page can take " + Number(n) + " tokens."
	case f.Unread() > 0:
		return "No token in what could be read; " + Count(f.Unread(), "place") + " could not."
	default:
		return "No token in reach of script."
	}
}

// Title and How say what a source is and how it was read.
func (s Source) Title() string { return sourceNames[s.ID].title }

// How is the call an attacker would make.
func (s Source) How() string { return sourceNames[s.ID].how }

// Amount is how much was read.
func (s Source) Amount() string {
	if s.ID == "memory" {
		return Size(s.Count)
	}
	if s.ID == "indexedDB" {
		return Count(s.Count, "record")
	}
	if s.Count == 1 {
		return "1 entry"
	}
	return Number(s.Count) + " entries"
}

var sourceNames = map[string]struct{ title, how string }{
	"cookie":         {"Cookies", "document.cookie"},
	"cookieStore":    {"Cookie store", "cookieStore.getAll()"},
	"localStorage":   {"Local storage", "localStorage"},
	"sessionStorage": {"Session storage", "sessionStorage"},
	"indexedDB":      {"IndexedDB", "indexedDB.databases()"},
	"caches":         {"Cache storage", "caches.keys()"},
	"page":           {"Address and global variables", "location, history, window"},
	"memory":         {"This program's memory", "instance.exports.mem"},
}
