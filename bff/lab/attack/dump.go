package attack

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"slices"

	"cloakroom/shared/lab"
)

// maxGuesses bounds how many texts of a dump are tried as a ticket.
const maxGuesses = 100

// dump reads all that the server's store holds, in memory and on disk, and
// tries what looks like a token, or like a ticket.
func (m *mission) dump(ctx context.Context) error {
	store, ok := m.world.Store(m.target.ID)
	if !ok {
		m.evidence.Missing = "the server keeps no sessions outside its own memory"
		if m.target.Public {
			m.evidence.Missing = "the application has no server that keeps anything"
		}
		return nil
	}
	cookies, err := m.browser.Cookies(ctx, m.world.Origin(m.target.ID))
	if err != nil {
		return err
	}
	found, size, tickets := map[string]string{}, 0, []string{}
	inClear := false
	for part := range store.Dump() {
		size += len(part)
		for _, token := range tokensIn(part) {
			found["dump"] += token + "\n"
		}
		for _, c := range cookies {
			inClear = inClear || bytes.Contains(part, []byte(c.Value))
		}
		tickets = appendTickets(tickets, part, len(ticketOf(cookies)))
	}
	m.evidence.Finished = size > 0
	m.step("the attacker read the whole store, %d bytes of memory and files; the victim's cookie is in it: %t", size, inClear)
	if err := m.spend(ctx, sift(found)); err != nil {
		return err
	}
	if len(cookies) == 0 {
		return nil
	}
	m.step("%d texts in it are as long as a ticket; each was tried as one", len(tickets))
	var pieces []piece
	for _, ticket := range tickets {
		pieces = append(pieces, piece{lab.KindCookie, "dump", cookies[0].Name + "=" + ticket})
	}
	return m.spend(ctx, pieces)
}

// ticketOf is the value of the only cookie.
func ticketOf(cookies []*http.Cookie) string {
	if len(cookies) != 1 {
		return ""
	}
	return cookies[0].Value
}

// appendTickets adds the runs of base64url characters in text that are as long
// as a ticket, those of its hash in hexadecimal among them.
func appendTickets(list []string, text []byte, length int) []string {
	const hash = 64
	for rest := text; ; { // Cloakroom names a record in Redis by the hash of its ticket
		_, after, ok := bytes.Cut(rest, []byte("cloakroom:s:"))
		if rest = after; !ok || len(rest) < hash/2 || len(list) >= maxGuesses {
			break
		}
		if one := base64.RawURLEncoding.EncodeToString(rest[:hash/2]); !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	start := 0
	for at := 0; at <= len(text); at++ {
		if at < len(text) && isBase64URL(text[at]) {
			continue
		}
		run := at - start
		if one := text[start:at]; run > 0 && (run == length || run == hash) && len(list) < maxGuesses && mixed(one) && !slices.Contains(list, string(one)) {
			list = append(list, string(one))
		}
		start = at + 1
	}
	return list
}

func isBase64URL(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// mixed tells random texts from names: they have digits and letters.
func mixed(text []byte) bool {
	return bytes.ContainsAny(text, "0123456789") && bytes.ContainsAny(text, "abcdef")
}

// tokensIn are the texts in any bytes that look like tokens, in one byte to a
// character or in two.
func tokensIn(text []byte) []string {
	var list []string
	for _, plain := range [][]byte{text, narrowed(text)} {
		for rest := plain; ; {
			at := bytes.Index(rest, []byte("eyJ"))
			if at < 0 {
				break
			}
			near := rest[at:min(len(rest), at+1<<14)]
			if token := anyJWT.Find(near); token != nil && bytes.HasPrefix(near, token) {
				list = append(list, string(token))
				rest = rest[at+len(token):]
				continue
			}
			rest = rest[at+1:]
		}
		if bytes.Contains(plain, []byte("refresh_token")) {
			for _, match := range anyRefresh.FindAll(plain, -1) {
				list = append(list, string(match))
			}
		}
	}
	return list
}

// narrowed has every second byte, where the others are zero: UTF-16 as text.
// Where that is nowhere, it is empty.
func narrowed(text []byte) []byte {
	wide := []byte("e\x00y\x00J\x00")
	at := bytes.Index(text, wide)
	if at < 0 {
		return nil
	}
	var narrow []byte
	for ; at+1 < len(text); at += 2 {
		if text[at+1] != 0 {
			next := bytes.Index(text[at:], wide)
			if next < 0 {
				break
			}
			at += next - 2
			narrow = append(narrow, '\n')
			continue
		}
		narrow = append(narrow, text[at])
	}
	return narrow
}
