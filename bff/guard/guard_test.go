package guard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloakroom/bff/guard"
	"cloakroom/shared/problem"
)

const origin = "https://app.example.com"

func newGuard(t testing.TB) *guard.Guard {
	t.Helper()
	g, err := guard.New(guard.Config{Origin: origin, WorkerPath: "/app-worker.js"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// row is one request: method, lines of header as "Name: value", and the code
// it is refused with; no code means it may go on.
type row struct {
	name   string
	method string
	header string // lines
	want   problem.Code
}

func (c row) request() *http.Request {
	r := httptest.NewRequest(c.method, "/somewhere", nil)
	r.Host = "app.example.com"
	for line := range strings.SplitSeq(c.header, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	return r
}

func checkRows(t *testing.T, kind guard.Kind, rows []row) {
	t.Helper()
	g := newGuard(t)
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			err := g.Check(kind, c.request())
			if c.want == "" {
				if err != nil {
					t.Fatalf("refused with %v, must be let through", err)
				}
				return
			}
			if err == nil {
				t.Fatalf("let through, must be refused with %s", c.want)
			}
			if got := problem.CodeOf(err); got != c.want {
				t.Errorf("refused with %s, want %s", got, c.want)
			}
		})
	}
}

const fetchOfOurs = "X-CSRF: 1\nSec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\n"

func TestCall(t *testing.T) {
	rows := []row{
		{"a fetch of our page", "GET", fetchOfOurs, ""},
		{"a fetch of our page with Origin", "POST", fetchOfOurs + "Origin: " + origin, ""},
		{"a client that is no browser", "GET", "X-CSRF: 1", ""},
		{"an old browser that sends only Origin", "POST", "X-CSRF: 1\nOrigin: " + origin, ""},
		{"another site", "GET", "X-CSRF: 1\nSec-Fetch-Site: cross-site", problem.CrossOrigin},
		{"a sibling subdomain", "GET", "X-CSRF: 1\nSec-Fetch-Site: same-site", problem.CrossOrigin},
		{"the address bar", "GET", "X-CSRF: 1\nSec-Fetch-Site: none", problem.CrossOrigin},
		{"a site that was said twice", "GET", "X-CSRF: 1\nSec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site", problem.CrossOrigin},
		{"an empty site", "GET", "X-CSRF: 1\nSec-Fetch-Site: ", problem.CrossOrigin},
		{"a foreign Origin", "POST", fetchOfOurs + "Origin: https://evil.example", problem.CrossOrigin},
		{"our host on another scheme", "POST", fetchOfOurs + "Origin: http://app.example.com", problem.CrossOrigin},
		{"our host on another port", "POST", fetchOfOurs + "Origin: https://app.example.com:8443", problem.CrossOrigin},
		{"a sibling as Origin", "POST", fetchOfOurs + "Origin: https://x.app.example.com", problem.CrossOrigin},
		{"an opaque Origin", "POST", fetchOfOurs + "Origin: null", problem.CrossOrigin},
		{"two Origins", "POST", fetchOfOurs + "Origin: " + origin + "\nOrigin: " + origin, problem.CrossOrigin},
		{"the header missing", "GET", "Sec-Fetch-Site: same-origin", problem.CSRFHeaderMissing},
		{"the header missing with our Origin", "POST", "Origin: " + origin, problem.CSRFHeaderMissing},
		{"the header with another value", "GET", "X-CSRF: 0", problem.CSRFHeaderMissing},
		{"the header twice", "GET", "X-CSRF: 1\nX-CSRF: 1", problem.CSRFHeaderMissing},
		{"the header with a list", "GET", "X-CSRF: 1, 1", problem.CSRFHeaderMissing},
		{"a preflight of another origin", "OPTIONS", "Origin: https://evil.example\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Headers: x-csrf", problem.CrossOrigin},
		{"a preflight of our own", "OPTIONS", fetchOfOurs + "Origin: " + origin, problem.CrossOrigin},
		{"TRACE", "TRACE", "X-CSRF: 1", problem.CrossOrigin},
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		rows = append(rows,
			row{method + " with the header", method, fetchOfOurs, ""},
			row{method + " without the header", method, strings.TrimPrefix(fetchOfOurs, "X-CSRF: 1\n"), problem.CSRFHeaderMissing})
	}
	checkRows(t, guard.Call, rows)
}

func TestPeer(t *testing.T) {
	checkRows(t, guard.Peer, []row{
		{"a server", "POST", "", ""},
		{"a server on Node", "POST", "Accept: */*\nAccept-Language: *\nSec-Fetch-Mode: cors", ""},
		{"a server that reads", "GET", "", problem.MethodNotAllowed},
		{"a form of another site", "POST", "Origin: https://evil.example\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate", problem.CrossOrigin},
		{"a fetch of our page", "POST", fetchOfOurs + "Origin: " + origin, problem.CrossOrigin},
		{"an old browser", "POST", "Origin: null", problem.CrossOrigin},
	})
}

func TestCallByWebSocket(t *testing.T) {
	const upgrade = "Connection: keep-alive, Upgrade\nUpgrade: websocket\n"
	checkRows(t, guard.Call, []row{
		{"our page", "GET", upgrade + "Origin: " + origin + "\nSec-Fetch-Site: same-origin\nSec-Fetch-Mode: websocket\nSec-Fetch-Dest: websocket", ""},
		{"our page in a browser without Fetch Metadata", "GET", upgrade + "Origin: " + origin, ""},
		{"another site's page", "GET", upgrade + "Origin: https://evil.example", problem.CrossOrigin},
		{"our Origin but another site", "GET", upgrade + "Origin: " + origin + "\nSec-Fetch-Site: cross-site", problem.CrossOrigin},
		{"our Origin but a sibling", "GET", upgrade + "Origin: " + origin + "\nSec-Fetch-Site: same-site", problem.CrossOrigin},
		{"no Origin", "GET", upgrade, problem.CrossOrigin},
		{"no Origin, although the header is there", "GET", upgrade + "X-CSRF: 1", problem.CrossOrigin},
		{"an opaque Origin", "GET", upgrade + "Origin: null", problem.CrossOrigin},
		{"a fetch that claims to be one", "GET", upgrade + "Origin: " + origin + "\nSec-Fetch-Mode: cors", problem.CrossOrigin},
		{"POST is no handshake", "POST", upgrade + "Origin: " + origin, problem.CSRFHeaderMissing},
		{"Upgrade without Connection", "GET", "Upgrade: websocket\nOrigin: " + origin, problem.CSRFHeaderMissing},
		{"another protocol", "GET", "Connection: Upgrade\nUpgrade: h2c\nOrigin: " + origin, problem.CSRFHeaderMissing},
	})
}

func TestCallByEventSource(t *testing.T) {
	const stream = "Accept: text/event-stream\n"
	checkRows(t, guard.Call, []row{
		{"our page", "GET", stream + "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\nSec-Fetch-Dest: empty", ""},
		{"our page, same-origin mode", "GET", stream + "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: same-origin", ""},
		{"a fetch with the header", "GET", stream + "X-CSRF: 1", ""},
		{"no Fetch Metadata", "GET", stream, problem.CSRFHeaderMissing},
		{"no Fetch Metadata but our Origin", "GET", stream + "Origin: " + origin, problem.CSRFHeaderMissing},
		{"another site", "GET", stream + "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: cors", problem.CrossOrigin},
		{"a sibling", "GET", stream + "Sec-Fetch-Site: same-site\nSec-Fetch-Mode: cors", problem.CrossOrigin},
		{"a navigation", "GET", stream + "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: navigate", problem.CrossOrigin},
		{"an image", "GET", stream + "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: no-cors", problem.CrossOrigin},
		{"no mode", "GET", stream + "Sec-Fetch-Site: same-origin", problem.CrossOrigin},
		{"the header with another value", "GET", stream + "X-CSRF: 0\nSec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors", problem.CSRFHeaderMissing},
		{"POST", "POST", stream + "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors", problem.CSRFHeaderMissing},
		{"another type besides", "GET", "Accept: text/event-stream, */*\nSec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors", problem.CSRFHeaderMissing},
	})
}

const visit = "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\n"

func TestNavigation(t *testing.T) {
	checkRows(t, guard.Navigation, []row{
		{"our page", "GET", visit + "Sec-Fetch-Site: same-origin", ""},
		{"the address bar", "GET", visit + "Sec-Fetch-Site: none", ""},
		{"an old browser", "GET", "", ""},
		{"another site's link", "GET", visit + "Sec-Fetch-Site: cross-site", problem.LoginCrossSite},
		{"a sibling's link", "GET", visit + "Sec-Fetch-Site: same-site", problem.LoginCrossSite},
		{"a site said twice", "GET", visit + "Sec-Fetch-Site: none\nSec-Fetch-Site: none", problem.LoginCrossSite},
		{"an iframe", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe\nSec-Fetch-Site: same-origin", problem.NavigationRequired},
		{"an embed", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: embed\nSec-Fetch-Site: same-origin", problem.NavigationRequired},
		{"an object", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: object\nSec-Fetch-Site: same-origin", problem.NavigationRequired},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image\nSec-Fetch-Site: same-origin", problem.NavigationRequired},
		{"a fetch", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nSec-Fetch-Site: same-origin", problem.NavigationRequired},
		{"a navigation through a service worker", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: empty\nSec-Fetch-Site: same-origin", problem.NavigationRequired},
		{"metadata without a site", "GET", visit, problem.NavigationRequired},
		{"metadata without a mode", "GET", "Sec-Fetch-Dest: document\nSec-Fetch-Site: none", problem.NavigationRequired},
		{"a prerender", "GET", visit + "Sec-Fetch-Site: same-origin\nSec-Purpose: prefetch;prerender", problem.NavigationRequired},
		{"a foreign Origin", "GET", "Origin: https://evil.example", problem.LoginCrossSite},
		{"our Origin", "GET", "Origin: " + origin, ""},
		{"the header does not make a fetch a visit", "GET", fetchOfOurs, problem.NavigationRequired},
		{"HEAD", "HEAD", visit + "Sec-Fetch-Site: none", problem.MethodNotAllowed},
		{"a form", "POST", visit + "Sec-Fetch-Site: same-origin", problem.MethodNotAllowed},
		{"a preflight", "OPTIONS", "Origin: https://evil.example", problem.MethodNotAllowed},
	})
}

func TestReturn(t *testing.T) {
	checkRows(t, guard.Return, []row{
		{"the provider's redirect", "GET", visit + "Sec-Fetch-Site: cross-site", ""},
		{"a provider on a sibling", "GET", visit + "Sec-Fetch-Site: same-site", ""},
		{"an old browser", "GET", "", ""},
		{"an iframe", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe\nSec-Fetch-Site: cross-site", problem.NavigationRequired},
		{"a fetch", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nSec-Fetch-Site: cross-site", problem.NavigationRequired},
		{"a prefetch", "GET", visit + "Sec-Fetch-Site: cross-site\nSec-Purpose: prefetch", problem.NavigationRequired},
		{"a form", "POST", visit + "Sec-Fetch-Site: cross-site", problem.MethodNotAllowed},
		{"HEAD", "HEAD", "", problem.MethodNotAllowed},
	})
}

func TestPage(t *testing.T) {
	checkRows(t, guard.Page, []row{
		{"a visit from anywhere", "GET", visit + "Sec-Fetch-Site: cross-site", ""},
		{"HEAD", "HEAD", "", ""},
		{"a form", "POST", "", problem.MethodNotAllowed},
		{"a preflight", "OPTIONS", "Origin: https://evil.example", problem.MethodNotAllowed},
		{"a service worker from any path", "GET", "Service-Worker: script", problem.NavigationRequired},
		{"a service worker's destination", "GET", "Sec-Fetch-Dest: serviceworker", problem.NavigationRequired},
	})
	t.Run("the service worker from its path", func(t *testing.T) {
		r := row{method: "GET", header: "Service-Worker: script\nSec-Fetch-Dest: serviceworker"}.request()
		r.URL.Path = "/app-worker.js"
		if err := newGuard(t).Check(guard.Page, r); err != nil {
			t.Error(err)
		}
	})
}

func TestARouteWithoutAKindRefusesEverything(t *testing.T) {
	for _, kind := range []guard.Kind{0, -1, 99} {
		checkRows(t, kind, []row{
			{fmt.Sprintf("%v: a fetch of our page", kind), "GET", fetchOfOurs, problem.Internal},
			{fmt.Sprintf("%v: a visit", kind), "GET", visit + "Sec-Fetch-Site: none", problem.Internal},
		})
	}
}

func TestHandlerAnswersForTheRefused(t *testing.T) {
	g := newGuard(t)
	for _, c := range []struct {
		name   string
		kind   guard.Kind
		r      row
		status int
		allow  string
	}{
		{"a preflight gets nothing to go on with", guard.Call, row{method: "OPTIONS", header: "Origin: https://evil.example\nAccess-Control-Request-Method: POST"}, 403, ""},
		{"a form on a page", guard.Page, row{method: "POST"}, 405, "GET, HEAD"},
		{"HEAD on a navigation", guard.Navigation, row{method: "HEAD"}, 405, "GET"},
		{"no kind", 0, row{method: "GET", header: "X-CSRF: 1"}, 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			g.Handler(c.kind, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				t.Error("the handler was reached")
			})).ServeHTTP(w, c.r.request())
			if w.Code != c.status || w.Header().Get("Allow") != c.allow {
				t.Errorf("got %d with Allow %q, want %d with %q", w.Code, w.Header().Get("Allow"), c.status, c.allow)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the answer has %s", name)
				}
			}
		})
	}
}

func TestNewRefusesWhatIsNoOrigin(t *testing.T) {
	for _, bad := range []string{
		"", "app.example.com", "ftp://app.example.com", "https://", "https://app.example.com/app", "https://app.example.com?x",
		"https://user@app.example.com", "https://app.example.com.", "https://app.example.com#x", "https://bücher.example", "https://a b/",
	} {
		if _, err := guard.New(guard.Config{Origin: bad}); err == nil {
			t.Errorf("%q was taken for an origin", bad)
		}
	}
	if _, err := guard.New(guard.Config{Origin: origin, WorkerPath: "worker.js"}); err == nil {
		t.Error("a worker path must begin with a slash")
	}
}

func TestTheOriginIsComparedInItsCanonicalForm(t *testing.T) {
	for configured, sent := range map[string]string{
		"https://APP.example.com:443/": "https://app.example.com",
		"http://localhost:80":          "http://localhost",
		"http://localhost:8080":        "http://localhost:8080",
		"http://[::1]:8080":            "http://[::1]:8080",
	} {
		g, err := guard.New(guard.Config{Origin: configured})
		if err != nil {
			t.Errorf("%s: %v", configured, err)
			continue
		}
		if err := g.Check(guard.Call, row{method: "POST", header: "X-CSRF: 1\nOrigin: " + sent}.request()); err != nil {
			t.Errorf("%s: Origin %s: %v", configured, sent, err)
		}
	}
}
