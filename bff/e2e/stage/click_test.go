package stage_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/e2e/stage"
)

// late is how long pages keep a click waiting.
const late = 700 * time.Millisecond

// serve answers with one page, and with a style sheet that comes late and moves
// what is on it.
func serve(t *testing.T, page string) (origin string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><title>waiting</title><link rel="icon" href="data:,">`+page)
	})
	mux.HandleFunc("/late.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		select {
		case <-time.After(late):
			_, _ = io.WriteString(w, "body { padding-top: 300px }")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><title>late</title><link rel="icon" href="data:,">`)
	})
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
}

// A click is for what a person would click on, and comes when they would: the
// first that any of these pages gets must be the right one.
func TestAClickWaits(t *testing.T) {
	// button knows whether it is clicked in time.
	button := func(inTime string) string {
		return `<button id="b">Go</button><script>
			b.onclick = () => document.title = ` + inTime + ` ? "clicked" : "clicked too early";
			document.documentElement.addEventListener("click", (e) => { if (e.target !== b) document.title = "missed"; });
			const later = (what) => setTimeout(what, 700);
		</script>`
	}
	for name, page := range map[string]string{
		"for nothing":              button(`true`),
		"until the page is styled": `<link rel="stylesheet" href="/late.css">` + strings.Replace(button(`document.readyState === "complete"`), "<script>", "<script async>", 1),
		"until nothing covers it":  button(`true`) + `<div id="over" style="position: fixed; inset: 0"></div><script>later(() => over.remove())</script>`,
		"until it stands still": `<style>@keyframes go { from { margin-left: 0 } to { margin-left: 700px } } #b { animation: go .7s linear }</style>` +
			button(`!b.getAnimations().length`),
		"until it is taken":   button(`!b.ariaDisabled`) + `<script>b.ariaDisabled = "true"; later(() => b.ariaDisabled = null)</script>`,
		"until it is enabled": button(`true`) + `<script>b.disabled = true; later(() => b.disabled = false)</script>`,
		"until it is seen":    button(`true`) + `<script>b.style.visibility = "hidden"; later(() => b.style.visibility = "")</script>`,
		"until it is in view": `<div style="height: 5000px"></div>` + button(`true`),
		"until the program of the page runs": button(`!document.querySelector("#app-wasm-loader-icon")`) +
			`<p id="app-wasm-loader-icon" class="goapp-spin">loading</p><script>later(() => document.querySelector("#app-wasm-loader-icon").remove())</script>`,
		"for the page that replaces the first": button(`location.search`) + `<script>
			if (!location.search) { document.body.append(Object.assign(new Image(), {src: "/never"})); later(() => location.replace("/?second")) }
		</script>`,
	} {
		t.Run(name, func(t *testing.T) {
			origin := serve(t, page)
			tab := (&stage.Stage{Origin: origin}).Browser(t).NewTab(t)
			tab.Eval(`void (location = "`+origin+`/")`, nil)
			tab.Click("#b")
			tab.Wait(`document.title !== "waiting"`)
			if title := tab.Text("title"); title != "clicked" {
				t.Errorf("the button was %s", title)
			}
		})
	}
}

// A condition that holds on the page that is left says nothing of the next.
func TestFollowWaitsForTheNextPage(t *testing.T) {
	origin := serve(t, `<button id="b" onclick="setTimeout(() => location = '/late', 700)">Go</button>`)
	tab := (&stage.Stage{Origin: origin}).Browser(t).NewTab(t)
	tab.Go("/")
	tab.Follow("#b")
	if title := tab.Text("title"); title != "late" {
		t.Errorf("the page is %s", title)
	}
}
