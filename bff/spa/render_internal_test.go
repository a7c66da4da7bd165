package spa

import (
	"bytes"
	"strings"
	"testing"
)

// What go-app's script does at once is done once, and when the page was painted.
func TestTheProgramBeginsAfterThePaint(t *testing.T) {
	const script = "const a = 1;\ngoappInitServiceWorker();\ngoappWatchForUpdate();\ngoappInitWebAssembly();\nasync function goappInitWebAssembly() {}\n"
	got, err := afterPaint([]byte(script))
	if err != nil {
		t.Fatal(err)
	}
	first, rest, ok := strings.Cut(string(got), "new PerformanceObserver(painted)")
	if !ok || !strings.Contains(first, "\ngoappWatchForUpdate();\n") || strings.Contains(rest, "goappInit"+"WebAssembly();") {
		t.Errorf("got %s", got)
	}
	for _, call := range []string{"goappInitServiceWorker();", "goappInitWebAssembly();"} {
		if n := bytes.Count(got, []byte(call)); n != 1 {
			t.Errorf("%s: %d times", call, n)
		}
		if _, err := afterPaint([]byte(strings.ReplaceAll(script, call, ""))); err == nil {
			t.Errorf("a script without %s is taken for known", call)
		}
	}
}

func TestAPageOfAnotherGoAppIsNoticed(t *testing.T) {
	const page = `<head><link rel="manifest" href="/manifest.webmanifest"><link href="/app.css" rel="stylesheet"><script defer src="/wasm_exec.js"></script></head><img src="/i.png" id="app-wasm-loader-icon">`
	if got, err := beforePaint([]byte(page)); err != nil || string(got) != `<head></head><img loading="lazy" src="/i.png" id="app-wasm-loader-icon">` {
		t.Errorf("got %s, %v", got, err)
	}
	for _, without := range []string{`"manifest"`, `"/app.css"`, `"/wasm_exec.js"`, `"app-wasm-loader-icon"`} {
		if got, err := beforePaint([]byte(strings.ReplaceAll(page, without, `"other"`))); err == nil {
			t.Errorf("a page without %s is taken for known: %s", without, got)
		}
	}
}
