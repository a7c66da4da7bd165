package stage_test

import (
	"fmt"
	"net/http"
	"testing"
)

// Whoever saw an answer finds it among the exchanges, without waiting.
func TestWhatReachedTheBrowserIsInTheExchanges(t *testing.T) {
	b := serve(t, map[string]string{"any": "<p>page</p>"})
	tab := b.NewTab(t)
	tab.Go("/page/any")
	for n := range 100 {
		path := fmt.Sprintf("/page/any?%d", n)
		if a := tab.Fetch(path, "{}"); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Error)
		}
		if sent := b.Sent(path); len(sent) != 1 || sent[0].Status != http.StatusOK || len(sent[0].Body) == 0 {
			t.Fatalf("after %s the exchanges have %+v", path, sent)
		}
	}
}
