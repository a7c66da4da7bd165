package stage

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cloakroom/bff/demo/idp"
	"cloakroom/shared"
)

// Hay is one text in which nothing secret may be, and where it was found.
type Hay struct{ Place, Text string }

// Needle is one form of one secret.
type Needle struct {
	Kind string // of Issued
	Form string // "whole", "payload", "signature", and how it is encoded
	Text string
}

// Finding is a needle that is in a hay.
type Finding struct {
	Place, Kind, Form string
	Around            string // the text around it, with the needle cut short
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s (%s): %s", f.Place, f.Kind, f.Form, f.Around)
}

// Needles are the forms in which an issued value would be worth something to a
// thief, or would betray that it was there: whole, its payload or its signature
// alone (the header of a JWT is the same in all), each plain, percent-encoded,
// in hex, in JSON with escapes, and in base64 at each of the three offsets.
func Needles(issued []Issued) []Needle {
	var list []Needle
	seen := map[string]bool{}
	add := func(kind, form, text string) {
		if len(text) >= 12 && !seen[text] {
			seen[text] = true
			list = append(list, Needle{kind, form, text})
		}
	}
	for _, one := range issued {
		for form, text := range parts(one) {
			add(one.Kind, form, text)
			add(one.Kind, form+", percent-encoded", url.QueryEscape(text))
			add(one.Kind, form+", in hex", hex.EncodeToString([]byte(text)))
			escaped, _ := json.Marshal(text)
			add(one.Kind, form+", as JSON", strings.Trim(string(escaped), `"`))
			for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
				for offset := range 3 {
					add(one.Kind, fmt.Sprintf("%s, in %s at offset %d", form, name, offset), core(encoding, text, offset))
				}
			}
		}
	}
	return list
}

func parts(one Issued) map[string]string {
	whole := map[string]string{"whole": one.Value}
	if cut := strings.Split(one.Value, "."); len(cut) == 3 && (one.Kind == shared.TokenAccess || one.Kind == shared.TokenID || one.Kind == idp.KindLogout) {
		whole["payload"], whole["signature"] = cut[1], cut[2]
	}
	return whole
}

// core is the part of text's base64 that does not depend on its neighbours,
// when offset bytes of another text come before it.
func core(encoding *base64.Encoding, text string, offset int) string {
	padded := append(make([]byte, offset), text...)
	whole := len(padded) / 3 * 3
	encoded := encoding.EncodeToString(padded[:whole])
	if offset > 0 {
		encoded = encoded[4:]
	}
	return encoded
}

// Search looks for every needle in every hay.
func Search(hays []Hay, needles []Needle) []Finding {
	// All needles are looked up at once by their first bytes, so that a hay is
	// gone through once. The small table saves most lookups.
	const window = 12
	byStart := map[[window]byte][]Needle{}
	var begins [1 << 16]bool
	slot := func(b []byte) uint16 {
		return uint16((uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24) * 2654435761 >> 16)
	}
	for _, n := range needles {
		start := [window]byte([]byte(n.Text[:window]))
		byStart[start] = append(byStart[start], n)
		begins[slot(start[:])] = true
	}
	var found []Finding
	done := map[Hay]bool{}
	for _, hay := range hays {
		if done[hay] {
			continue
		}
		done[hay] = true
		text := []byte(hay.Text)
		hit := map[string]bool{}
		for at := 0; at+window <= len(text); at++ {
			if !begins[slot(text[at:])] {
				continue
			}
			for _, n := range byStart[[window]byte(text[at:at+window])] {
				if !hit[n.Text] && bytes.HasPrefix(text[at:], []byte(n.Text)) {
					hit[n.Text] = true
					found = append(found, Finding{hay.Place, n.Kind, n.Form, around(hay.Text, at, len(n.Text))})
				}
			}
		}
	}
	return found
}

// around shows where a needle is without showing it.
func around(text string, at, length int) string {
	end := min(at+length+30, len(text))
	return strings.ToValidUTF8(text[max(at-60, 0):at]+"["+text[at:at+8]+"...]"+text[at+length:end], "?")
}

// Wire is every exchange of the browser as hays: each header, URL and body by
// itself, named after the exchange.
func (b *Browser) Wire() []Hay {
	var hays []Hay
	for _, e := range b.Exchanges() {
		address, _, _ := strings.Cut(e.URL, "?")
		name := e.Method + " " + address
		hays = append(hays, Hay{name + " URL", e.URL}, Hay{name + " request body", string(e.RequestBody)},
			Hay{name + " response body", string(e.Body)})
		hays = append(hays, headers(name+" request header ", e.RequestHeader)...)
		hays = append(hays, headers(name+" response header ", e.Header)...)
	}
	for _, frame := range b.Frames() {
		hays = append(hays, Hay{"WebSocket frame", frame})
	}
	return hays
}

func headers(name string, header map[string][]string) []Hay {
	var hays []Hay
	for key, values := range header {
		for _, value := range values {
			hays = append(hays, Hay{name + key, value})
		}
	}
	slices.SortFunc(hays, func(a, b Hay) int { return strings.Compare(a.Place, b.Place) })
	return hays
}

// Consoles is what the tabs wrote to their consoles, as hays.
func (b *Browser) Consoles() []Hay {
	var hays []Hay
	for _, m := range b.Messages() {
		hays = append(hays, Hay{"console", m.String()})
	}
	return hays
}

// Logs is the server's log as hay.
func (s *Stage) Logs() []Hay { return []Hay{{"the server's log", s.Log()}} }
