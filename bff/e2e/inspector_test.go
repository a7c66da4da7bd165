package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// planted is a JWT that is nobody's: {"alg":"none"}, {"sub":"planted","note":"for the inspector"}.
const planted = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwbGFudGVkIiwibm90ZSI6ImZvciB0aGUgaW5zcGVjdG9yIn0.c2lnbmF0dXJlLW9mLW5vYm9keQ"

func TestTheInspectorShowsWhatTheServerHolds(t *testing.T) {
	s, _, tab := alice(t, stage.Options{}, "/inspector")
	tab.WaitVisible("#held .coat code")
	var shown []string
	tab.Eval(`Array.from(document.querySelectorAll("#held .coat code"), (e) => e.textContent)`, &shown)
	var want []string
	for _, kind := range []string{shared.TokenAccess, shared.TokenRefresh, shared.TokenID} {
		sum := sha256.Sum256([]byte(s.Last(kind)))
		want = append(want, hex.EncodeToString(sum[:4]))
	}
	slices.Sort(shown)
	slices.Sort(want)
	if !slices.Equal(shown, want) {
		t.Errorf("fingerprints %v, the issued tokens have %v", shown, want)
	}
}

// TestTheInspectorFindsPlantedTokens: a scan that finds nothing proves nothing,
// unless it finds what is there.
func TestTheInspectorFindsPlantedTokens(t *testing.T) {
	_, _, tab := alice(t, stage.Options{}, "/inspector")
	clean := func(after string) {
		t.Helper()
		tab.Wait(fmt.Sprintf(`document.querySelector(%q)?.dataset.tokens === "0"`, scanVerdict))
		if n := tab.Count("#reach [data-source]"); n < 8 {
			t.Errorf("after %s: %d places were looked at", after, n)
		}
		if n := tab.Count("#reach .alarm, #reach .faint"); n != 0 {
			t.Errorf("after %s: %d places hold a token or could not be read: %s", after, n, tab.Text("#reach"))
		}
	}
	clean("signing in")
	for _, c := range []struct{ source, plant, remove string }{
		{"localStorage", `localStorage.setItem("t", T)`, `localStorage.clear()`},
		{"sessionStorage", `sessionStorage.setItem("t", JSON.stringify({token: T}))`, `sessionStorage.clear()`},
		{"cookie", `document.cookie = "t=" + T + "; path=/"`, `document.cookie = "t=; path=/; max-age=0"`},
		{"cookieStore", `cookieStore.set("t", T)`, `cookieStore.delete("t")`},
		{"indexedDB", `new Promise((done, no) => {
			const open = indexedDB.open("planted", 1);
			open.onerror = () => no(open.error);
			open.onupgradeneeded = () => open.result.createObjectStore("s");
			open.onsuccess = () => {
				const change = open.result.transaction("s", "readwrite");
				change.objectStore("s").put({deep: {inside: [T]}}, "k");
				change.oncomplete = () => { open.result.close(); done(); };
			};
		})`, `new Promise((done) => { indexedDB.deleteDatabase("planted").onsuccess = () => done(); })`},
		{"caches", `caches.open("planted").then((c) => c.put("/planted", new Response("token=" + T)))`, `caches.delete("planted")`},
		{"page", `void (window.planted = {token: T})`, `delete window.planted`},
	} {
		tab.Eval(fmt.Sprintf(`(async (T) => { await (%s); return 1; })(%q)`, c.plant, planted), nil)
		tab.Click("#scan-again")
		tab.WaitVisible(fmt.Sprintf("#reach [data-source=%s].alarm", c.source))
		if tab.Count(scanVerdict+`[data-tokens="0"]`) != 0 {
			t.Errorf("%s: the verdict says none", c.source)
		}
		tab.Eval(fmt.Sprintf(`(async () => { await (%s); return 1; })()`, c.remove), nil)
		tab.Click("#scan-again")
		clean("removing it from " + c.source)
	}
}

// What a person types into the program is in the program's memory, and is
// found there.
func TestTheInspectorReadsTheProgramsMemory(t *testing.T) {
	_, _, tab := alice(t, stage.Options{}, "/orders")
	tab.Click("#order-item")
	tab.Type(planted)
	tab.Click(`header a[href="/inspector"]`)
	tab.WaitVisible("#reach [data-source=memory].alarm")
}
