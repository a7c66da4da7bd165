package strategy_test

import (
	"net/http"
	"net/url"
	"testing"

	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// The server of a plain cookie has nothing to lose: what a restart and a second
// one take away from others, those tests show that run them.
func TestAServerIsReplacedAndComesBack(t *testing.T) {
	w, origin, client := signedIn(t, "cookie-jwt")
	s, _ := lab.FindStrategy("cookie-jwt")
	serves := func(when string) {
		t.Helper()
		if status, _ := get(t, client, origin+"/api/orders"); status != http.StatusOK {
			t.Errorf("%s: %d", when, status)
		}
	}
	if err := w.Restart(s); err != nil {
		t.Fatal(err)
	}
	serves("after a restart")
	back, err := w.Another(s)
	if err != nil {
		t.Fatal(err)
	}
	serves("at another instance")
	back()
	serves("at the first again")
	if _, ok := w.Server(s.ID); ok {
		t.Error("it has a process of its own")
	}
}

func TestTheProvidersTokensGrow(t *testing.T) {
	w, origin, client := signedIn(t, "cookie-jwt")
	short := len(w.Issued().Access)
	w.Pad(3000)
	callback := idptest.SignIn(t, client, origin+shared.PathLogin, strategy.Victim.Name, strategy.Victim.Password)
	if status, _ := get(t, client, callback); status != http.StatusOK {
		t.Errorf("the sign-in ends with %d", status)
	}
	if long := len(w.Issued().Access); long < short+4000 || long > short+4100 { // base64
		t.Errorf("it grew from %d to %d bytes", short, long)
	}
}

// What a page's call brought is known, and no other client's is taken for it.
func TestTheLastCallIsAPages(t *testing.T) {
	w, origin, client := signedIn(t, "cookie-jwt")
	if _, ok := w.LastCall("cookie-jwt"); ok {
		t.Error("there was none")
	}
	get(t, client, origin+"/api/orders")
	if _, ok := w.LastCall("cookie-jwt"); ok {
		t.Error("it was no page's")
	}
	u, _ := url.Parse(origin)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/api/orders", nil)
	r.Header = http.Header{"Sec-Fetch-Mode": {"cors"}, "User-Agent": {"browser"}, "Accept-Encoding": {"identity"}}
	for _, c := range client.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	cookies := r.Header.Get("Cookie")
	resp, err := w.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	want := len("GET /api/orders HTTP/1.1\r\nHost: " + u.Host + "\r\nSec-Fetch-Mode: cors\r\nUser-Agent: browser\r\nAccept-Encoding: identity\r\nCookie: " + cookies + "\r\n\r\n")
	if call, ok := w.LastCall("cookie-jwt"); !ok || call.Head != want || call.URL != origin+"/api/orders" {
		t.Errorf("%t: %d bytes to %s, want %d", ok, call.Head, call.URL, want)
	}
}
