package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloakroom/bff/e2e/stage"
)

// blinding is what a blindfold does to requests and to the headers of answers.
type blinding struct {
	request func(*http.Request)
	answer  func(http.Header)
}

// blindfold stands between the browser and the server and takes from each
// request what a layer of the guard looks at. It shows that an attack which a
// layer stops would work without it, and that the rows of the tests can fail.
type blindfold struct {
	*httptest.Server
	mu   sync.Mutex
	list []stage.Exchange
}

func newBlindfold(t *testing.T, origin string, blind blinding) *blindfold {
	t.Helper()
	u, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	b := &blindfold{}
	b.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", "127.0.0.1:"+u.Port()
			pr.Out.Host = pr.In.Host
			if blind.request != nil {
				blind.request(pr.Out)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			if blind.answer != nil {
				blind.answer(resp.Header)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.list = append(b.list, stage.Exchange{
				Method: resp.Request.Method, URL: "http://" + resp.Request.Host + resp.Request.URL.RequestURI(),
				RequestHeader: resp.Request.Header, Status: resp.StatusCode, Header: resp.Header.Clone(),
			})
			return nil
		},
	})
	t.Cleanup(b.Close)
	return b
}

func (b *blindfold) seen() []stage.Exchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.list)
}

// resolverRules lead the application's host here and all else as the stage does.
func (b *blindfold) resolverRules(a *arena) string {
	return strings.Join([]string{
		fmt.Sprintf("MAP %s %s", strings.TrimPrefix(a.Origin, "http://"), b.Listener.Addr()),
		"MAP localhost 127.0.0.1", "MAP *.localhost 127.0.0.1", "MAP 127.0.0.1 127.0.0.1", "MAP * ~NOTFOUND",
	}, ", ")
}

// blindMetadata takes away Fetch Metadata and Origin: a browser that has neither.
func blindMetadata(r *http.Request) {
	for _, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User", "Sec-Purpose", "Origin"} {
		r.Header.Del(name)
	}
}

// blindHeader gives every request the header that a foreign page cannot set.
func blindHeader(r *http.Request) { r.Header.Set("X-CSRF", "1") }

// blindAll makes every request look like the application's own.
func blindAll(r *http.Request) {
	blindHeader(r)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if r.Header.Get("Origin") != "" {
		r.Header.Set("Origin", "http://"+r.Host)
	}
}

// blindFrames takes away what keeps pages of ours out of foreign frames.
func blindFrames(h http.Header) {
	h.Del("X-Frame-Options")
	h.Del("Content-Security-Policy")
	h.Del("Cross-Origin-Resource-Policy")
}
