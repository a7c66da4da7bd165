package stage

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// remains reads everything a script of the page can reach, as a list of
// [place, text]. It is another implementation than the application's own
// inspector, on purpose.
const remains = `(async () => {
  const out = [];
  const put = (place, value) => {
    const seen = new Set();
    out.push([place, typeof value === "string" ? value : String(JSON.stringify(value, (_, v) => {
      if (v && typeof v === "object") { if (seen.has(v)) return null; seen.add(v); }
      if (ArrayBuffer.isView(v)) return Array.from(v.subarray ? v.subarray(0, 65536) : [], (c) => String.fromCharCode(c & 255)).join("");
      return typeof v === "bigint" ? String(v) : v;
    }))]);
  };
  const attempt = async (place, read) => { try { await read(); } catch (err) { out.push([place + " (unreadable)", String(err)]); } };
  const wait = (request) => new Promise((yes, no) => { request.onsuccess = () => yes(request.result); request.onerror = () => no(request.error); });

  await attempt("document.cookie", () => put("document.cookie", document.cookie));
  await attempt("cookieStore", async () => put("cookieStore", (await cookieStore.getAll()).map((c) => [c.name, c.value])));
  for (const kind of ["localStorage", "sessionStorage"]) await attempt(kind, () => put(kind, { ...window[kind] }));
  await attempt("IndexedDB", async () => {
    for (const { name } of await indexedDB.databases()) {
      const db = await wait(indexedDB.open(name));
      for (const store of db.objectStoreNames) {
        const rows = db.transaction(store).objectStore(store);
        put("IndexedDB " + name, [await wait(rows.getAllKeys()), await wait(rows.getAll())]);
      }
      db.close();
    }
  });
  await attempt("Cache Storage", async () => {
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const response = await cache.match(request);
        put("Cache Storage " + request.url, await response.text());
        put("Cache Storage headers " + request.url, [...response.headers]);
      }
    }
  });
  await attempt("window", () => {
    for (const name of Object.getOwnPropertyNames(window)) {
      const value = Object.getOwnPropertyDescriptor(window, name)?.value;
      const plain = value && typeof value === "object" && [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));
      if (typeof value === "string" || plain) put("window." + name, value);
    }
  });
  put("address", [location.href, document.referrer, window.name, history.state]);
  put("performance", performance.getEntries().map((e) => e.name));
  put("DOM", document.documentElement.outerHTML);
  put("fields", Array.from(document.querySelectorAll("input, textarea"), (e) => e.value));
  return out;
})()`

// Remains is everything a script of the tab's page can reach, and the cookie
// jar, HttpOnly cookies too, as hays.
func (tab *Tab) Remains() []Hay {
	tab.t.Helper()
	var pairs [][2]string
	tab.Eval(remains, &pairs)
	var hays []Hay
	for _, pair := range pairs {
		hays = append(hays, Hay{pair[0], pair[1]})
	}
	for _, c := range tab.Cookies() {
		hays = append(hays, Hay{"cookie jar " + c.Name, c.Value})
	}
	return hays
}

// Heap is the JavaScript heap of the page, every string in it.
func (tab *Tab) Heap() Hay {
	tab.t.Helper()
	var chunks strings.Builder
	if err := chromedp.Listen(tab.ctx, func(event any) {
		if e, ok := event.(*heapprofiler.EventAddHeapSnapshotChunk); ok {
			chunks.WriteString(e.Chunk)
		}
	}); err != nil {
		tab.t.Fatalf("stage: heap: %v", err)
	}
	do(tab, heapprofiler.TakeHeapSnapshot, heapprofiler.TakeHeapSnapshotParams{})
	return Hay{"JavaScript heap", chunks.String()}
}

// Memory is the linear memory of every WebAssembly program of the page.
func (tab *Tab) Memory() []Hay {
	tab.t.Helper()
	prototype := do(tab, runtime.Evaluate, runtime.EvaluateParams{Expression: `WebAssembly.Memory.prototype`})
	all := do(tab, runtime.QueryObjects, runtime.QueryObjectsParams{PrototypeObjectID: prototype.Result.ObjectID})
	yes := true
	const step = 1 << 20
	var hays []Hay
	for n := 0; ; n++ {
		var whole strings.Builder
		for at := 0; ; at += step {
			read := do(tab, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
				ObjectID: all.Objects.ObjectID, ReturnByValue: &yes,
				FunctionDeclaration: fmt.Sprintf(`function () {
					if (!this[%d]) return null;
					const left = new Uint8Array(this[%d].buffer, %d), part = left.subarray(0, %d);
					let text = "";
					for (let i = 0; i < part.length; i += 8192) text += String.fromCharCode(...part.subarray(i, i + 8192).map((c) => c < 128 ? c : 63));
					return text;
				}`, n, n, at, step),
			})
			if read.ExceptionDetails != nil {
				break // past its end
			}
			var text *string
			if err := readValue(read.Result, &text); err != nil || text == nil {
				return hays
			}
			whole.WriteString(*text)
			if len(*text) < step {
				break
			}
		}
		hays = append(hays, Hay{fmt.Sprintf("WebAssembly memory %d", n), whole.String()})
	}
}

// Disk is every file of the browser's profile, as far as it was written.
func (b *Browser) Disk() []Hay {
	var hays []Hay
	_ = filepath.WalkDir(b.Profile, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // gone meanwhile, or a socket
		}
		if content, err := os.ReadFile(path); err == nil {
			name, _ := filepath.Rel(b.Profile, path)
			hays = append(hays, Hay{"profile " + name, string(content)})
		}
		return nil
	})
	return hays
}
