package attack

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"cloakroom/bff/secret"
	"cloakroom/shared/lab"
)

// piece is one thing stolen. Its value stays with the attacker.
type piece struct{ kind, from, value string }

// fingerprint is what provider, API and BFF call it in their logs, too.
func (p piece) fingerprint() string { return secret.New(p.value).Fingerprint() }

func (p piece) loot() lab.Loot {
	return lab.Loot{Kind: p.kind, From: p.from, Fingerprint: p.fingerprint()}
}

// Places that hold cookies, which are taken as a whole too: they may be good
// for more than the tokens in them.
const (
	placeCookies = "document.cookie"
	placeJar     = "cookie jar"
	placeDisk    = "cookie database"
)

// places in the order in which they are sifted: what is there in two of them
// is said to be from the first, and what is caught on its way comes last.
var order = []string{
	placeCookies, placeJar, placeDisk, "dump", "disk", "localStorage", "sessionStorage", "indexedDB", "caches", "globals", "linear memory", "address", "history",
	"timings", "referrer", "state", "Referer", "answers", "JSON", "Storage", "IDBObjectStore", "Worker", "ServiceWorker", "MessagePort", "worker",
	"Headers", "XMLHttpRequest", "URLSearchParams", "Promise", "String", "Array", "TextEncoder", "TextDecoder", "fetch",
}

var (
	anyJWT = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+`)
	// Quotes may be escaped: stores hold JSON in JSON.
	anyRefresh = regexp.MustCompile(`refresh_token\\*["']?\s*[:=]\s*\\*["']?([\w.~+/-]{20,})`)
)

// sift finds what is worth stealing in what a payload read, each value once.
func sift(places map[string]string) []piece {
	var found []piece
	add := func(p piece) {
		if !slices.ContainsFunc(found, func(f piece) bool { return f.value == p.value }) {
			found = append(found, p)
		}
	}
	for _, place := range order {
		text := places[place]
		for _, token := range anyJWT.FindAllString(text, -1) {
			add(piece{kindOf(token), place, token})
		}
		for _, match := range anyRefresh.FindAllStringSubmatch(text, -1) {
			add(piece{lab.KindRefresh, place, match[1]})
		}
		if (place == placeCookies || place == placeJar || place == placeDisk) && text != "" {
			add(piece{lab.KindCookie, place, text})
		}
	}
	return found
}

// kindOf goes by the type that RFC 9068 §2.1 gives access tokens.
func kindOf(token string) string {
	head, _, _ := strings.Cut(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Type string `json:"typ"`
	}
	if json.Unmarshal(raw, &header) == nil && strings.EqualFold(header.Type, "at+jwt") {
		return lab.KindAccess
	}
	return lab.KindID
}
