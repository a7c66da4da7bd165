package attack

import (
	"net/http"
	"strings"
	"testing"

	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

func TestTheCollectorTakesReportsByBothWaysAndOnlyThoseItWaitsFor(t *testing.T) {
	s, _ := lab.FindStrategy("local-storage")
	w, err := strategy.Open(strategy.Config{Strategies: []lab.Strategy{s}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	a, err := newAttacker(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	address, arrived := a.expect()
	other, _ := a.expect()
	post := func(to, body string) {
		t.Helper()
		resp, err := a.client.Post(to, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	post(other, `{"by":"another payload"}`)
	post(a.origin+"/collect?nonce=guessed", `{"by":"nobody"}`)
	post(address, `not JSON`)
	post(address, `{"by":"fetch"}`)
	if got, err := await(t.Context(), arrived); err != nil || got.By != "fetch" {
		t.Errorf("got %+v, %v", got, err)
	}
	resp, err := a.client.Get(address + "&report=" + `%7B%22by%22%3A%22navigation%22%7D`)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got, err := await(t.Context(), arrived); err != nil || got.By != "navigation" {
		t.Errorf("got %+v, %v", got, err)
	}
	resp, err = a.client.Get(a.sibling + a.publish("text/html", "kittens"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a page of the attacker's answers %d", resp.StatusCode)
	}
	if _, err := a.client.Get("http://example.com/"); err == nil {
		t.Error("the attacker's client leaves the machine")
	}
}
