package stage_test

import (
	"fmt"
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

// serve answers with pages by their names, and with a style sheet that comes
// late and moves what is on them.
func serve(t *testing.T, pages map[string]string) *stage.Browser {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/page/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><title>waiting</title><link rel="icon" href="data:,">`+pages[r.PathValue("name")])
	})
	mux.HandleFunc("/late.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		select {
		case <-time.After(late):
			_, _ = io.WriteString(w, "body { padding-top: 300px }")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return (&stage.Stage{Origin: strings.Replace(s.URL, "127.0.0.1", "localhost", 1)}).Browser(t)
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
	pages := map[string]string{
		"for nothing":              button(`true`),
		"until the page is styled": `<link rel="stylesheet" href="/late.css">` + button(`document.readyState === "complete"`),
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
			if (!location.search) { document.body.append(Object.assign(new Image(), {src: "/never"})); later(() => location.replace("?second")) }
		</script>`,
	}
	b := serve(t, pages)
	for name := range pages {
		t.Run(name, func(t *testing.T) {
			tab := b.NewTab(t)
			tab.Go("/page/none")
			tab.Eval(fmt.Sprintf(`void (location = %q)`, "/page/"+name), nil)
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
	tab := serve(t, map[string]string{
		"first": `<button id="b" onclick="setTimeout(() => location = 'next', 700)">Go</button>`, "next": `<h1>next</h1>`,
	}).NewTab(t)
	tab.Go("/page/first")
	tab.Follow("#b")
	tab.WaitVisible("body")
	if tab.Count("#b") != 0 {
		t.Error("the page is the one that is left")
	}
}
