package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// What the tests find on the pages.
const (
	signInLink  = `.who a[href^="/bff/login"]`
	whoIsThere  = `.who a[href="/session"]`
	closedGate  = `main .gate a[href^="/bff/login"]`
	orderRows   = `main table tbody tr:not(.saving)`
	logoutLink  = `main a[href^="/bff/logout"]`
	serverGone  = `.banner .down`
	scanVerdict = `#reach .verdict[data-tokens]`
)

// alice is signed in, on a page of the application.
func alice(t *testing.T, o stage.Options, path string) (*stage.Stage, *stage.Browser, *stage.Tab) {
	t.Helper()
	s := stage.Open(t, o)
	b := s.Browser(t)
	tab := b.NewTab(t)
	tab.SignIn("alice", "wonderland", path)
	tab.WaitVisible(whoIsThere)
	return s, b, tab
}

// expiry is the `exp` of a JWT.
func expiry(t *testing.T, token string) time.Time {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT of three parts: %d", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Exp int64 }
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Exp == 0 {
		t.Fatalf("no exp: %v", err)
	}
	return time.Unix(claims.Exp, 0)
}

// outlive waits until the access token that was issued last has expired.
func outlive(t *testing.T, s *stage.Stage) {
	t.Helper()
	// A JWT's time is in whole seconds, and the server counts from the answer.
	exp := expiry(t, s.Last(shared.TokenAccess)).Add(time.Second)
	stage.Until(t, stage.Patience, "the access token to expire", func() bool { return time.Now().After(exp) })
}

// replay asks the server with nothing but a cookie, as a thief's program would.
func replay(t *testing.T, s *stage.Stage, path, cookie string) (status int, contentType string, d problem.Details) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.Origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", shared.CookieName+"="+cookie)
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 400 {
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatalf("%d with a body that is no problem document: %s", resp.StatusCode, body)
		}
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), d
}

// orderPage asks the API, from the page, for a page of orders.
func orderPage(t *testing.T, tab *stage.Tab, offset int) shared.OrderPage {
	t.Helper()
	a := tab.Call("GET", fmt.Sprintf("/api/orders?offset=%d&limit=20", offset))
	var page shared.OrderPage
	if err := json.Unmarshal([]byte(a.Body), &page); err != nil || a.Status != 200 {
		t.Fatalf("orders: %d %s %s", a.Status, a.Body, a.Error)
	}
	return page
}

// shows waits until the list on the page is that one.
func shows(tab *stage.Tab, page shared.OrderPage) {
	items := make([]string, len(page.Orders))
	for i, order := range page.Orders {
		items[i] = order.Item
	}
	want, _ := json.Marshal(items)
	tab.Wait(fmt.Sprintf(`JSON.stringify(Array.from(document.querySelectorAll(%q + " td.item"), (e) => e.textContent)) === JSON.stringify(%s)`,
		orderRows, want))
}

// hasRow is a condition: an order of that name is in the list, and saved.
func hasRow(item string) string {
	return fmt.Sprintf(`Array.from(document.querySelectorAll(%q + " td.item")).some((e) => e.textContent === %q)`, orderRows, item)
}

// deleteButton is a selector of an order's button.
func deleteButton(tab *stage.Tab, item string) string {
	var id string
	tab.Eval(fmt.Sprintf(`Array.from(document.querySelectorAll(%q)).find((r) => r.querySelector("td.item").textContent === %q).querySelector("button").id`,
		orderRows, item), &id)
	return "#" + id
}

// born is when the document of a tab was made: it changes with every page load.
func born(tab *stage.Tab) float64 {
	var origin float64
	tab.Eval(`performance.timeOrigin`, &origin)
	return origin
}

// errorPage checks that the tab is on the server's own error page.
func errorPage(t *testing.T, b *stage.Browser, tab *stage.Tab, code problem.Code) {
	t.Helper()
	tab.WaitVisible("p.code")
	if text := tab.Text("p.code"); !strings.Contains(text, string(code)) {
		t.Errorf("the page says %q, want the code %s", text, code)
	}
	if n := tab.Count("h1"); n != 1 {
		t.Errorf("%d headings of the first level", n)
	}
	var last stage.Exchange
	for _, e := range b.Sent("/bff/") {
		if strings.Contains(e.Header.Get("Content-Type"), "text/html") {
			last = e
		}
	}
	if last.Status != problem.Kinds[code].Status || last.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s answered %d, Cache-Control %q", last.URL, last.Status, last.Header.Get("Cache-Control"))
	}
}
