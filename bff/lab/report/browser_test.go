package report_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloakroom/bff/lab/chromium"
)

func TestAResultLeadsToItsEvidence(t *testing.T) {
	page := write(t, "html", sample())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(s.Close)
	b, err := chromium.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.Go(t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	var before, after bool
	if err := b.Run(t.Context(), `!!document.querySelector("details[open]")`, &before); err != nil {
		t.Fatal(err)
	}
	// As the key Enter does; the page has no script of its own.
	if err := b.Run(t.Context(), `(document.querySelector('a[href="#bff-memory.A1"]').click(), document.getElementById("bff-memory.A1").closest("details").open)`, &after); err != nil {
		t.Fatal(err)
	}
	if before || !after {
		t.Errorf("evidence is open before: %t, after: %t", before, after)
	}
}
