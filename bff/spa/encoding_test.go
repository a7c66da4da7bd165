package spa_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

// unpacked undoes the Content-Encoding of an answer.
func unpacked(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var r io.Reader = w.Body
	switch w.Header().Get("Content-Encoding") {
	case "br":
		r = brotli.NewReader(w.Body)
	case "gzip":
		var err error
		if r, err = gzip.NewReader(w.Body); err != nil {
			t.Fatal(err)
		}
	case "":
	default:
		t.Fatalf("content coding %q", w.Header().Get("Content-Encoding"))
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTheFormIsTheOneTheCallerLikesBest(t *testing.T) {
	s := embedded(t)
	tags := map[string]string{}
	for _, row := range []struct{ name, accept, want string }{
		{"a browser of today", "gzip, deflate, br, zstd", "br"},
		{"no brotli", "gzip, deflate", "gzip"},
		{"nothing said", "", ""},
		{"a preference for gzip", "gzip;q=1.0, br;q=0.5", "gzip"},
		{"a preference for brotli", "gzip;q=0.5, br;q=0.8", "br"},
		{"equal, ours first", "gzip;q=0.5, br;q=0.5", "br"},
		{"brotli refused", "gzip, br;q=0", "gzip"},
		{"anything", "*", "br"},
		{"anything but brotli", "*, br;q=0", "gzip"},
		{"identity preferred", "identity, br;q=0.5, gzip;q=0.5", ""},
		{"identity only", "identity", ""},
		{"even identity refused", "identity;q=0", ""},
		{"everything refused", "*;q=0", ""},
		{"capitals and spaces", " BR ; Q=0.9 , GZIP;q=0.1", "br"},
		{"the old name of gzip", "x-gzip", "gzip"},
		{"a weight that is no number", "br;q=lots, gzip", "gzip"},
		{"a weight out of bounds", "br;q=7, gzip;q=0.1", "gzip"},
		{"a weight of NaN", "br;q=NaN, gzip", "gzip"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := get(t, s, "/web/app.wasm", "Accept-Encoding", row.accept)
			if coding := got.Header().Get("Content-Encoding"); coding != row.want {
				t.Errorf("coding %q, want %q", coding, row.want)
			}
			if got.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("Vary: %q", got.Header().Get("Vary"))
			}
			tags[row.want] = got.Header().Get("ETag")
			if unpacked(t, got) != string(program) {
				t.Error("not the program")
			}
		})
	}
	if tags["br"] == tags["gzip"] || tags["br"] == tags[""] {
		t.Errorf("forms of different bytes share a tag: %v", tags)
	}
	if got := get(t, s, "/web/app.wasm", "Accept-Encoding", "br", "If-None-Match", tags["gzip"]); got.Code != 200 {
		t.Error("the tag of one form stands for another")
	}
}

func TestPagesAndScriptsAreCompressedToo(t *testing.T) {
	s := embedded(t)
	for _, path := range []string{"/", "/app.js", "/web/app.css", "/web/icon.svg"} {
		plain, packed := get(t, s, path), get(t, s, path, "Accept-Encoding", "br")
		length := packed.Body.Len()
		if packed.Header().Get("Content-Encoding") != "br" || length >= plain.Body.Len() || unpacked(t, packed) != plain.Body.String() {
			t.Errorf("%s: coding %q, %d of %d bytes", path, packed.Header().Get("Content-Encoding"), length, plain.Body.Len())
		}
	}
	if icon := get(t, s, "/web/icon-192.png", "Accept-Encoding", "br"); icon.Header().Get("Content-Encoding") != "" || icon.Header().Get("Vary") != "" {
		t.Error("a PNG is packed twice")
	}
}

func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip, br", "br;q=0", ";;;,,,", "*;q=0.5;q=1", "br;q=", strings.Repeat("a,", 100), "\x00;q=1e-400"} {
		f.Add(seed)
	}
	s := embedded(f)
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("GET", "/web/app.wasm", nil)
		r.Header["Accept-Encoding"] = []string{accept}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 || !bytes.Equal([]byte(unpacked(t, w)), program) {
			t.Errorf("%q: %d, or not the program", accept, w.Code)
		}
	})
}
