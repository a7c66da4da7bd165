package observe

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// FuzzEntry: the line that is put together here is the one that slog writes.
func FuzzEntry(f *testing.F) {
	f.Add("GET", "/api/", "/api/orders", 200, int64(1024), int64(312), "192.0.2.1", "abcd1234", false, int64(1_800_000_000_123_456_789))
	f.Add("GET", "none", `/with "quotes" and \`, 404, int64(0), int64(-1), "::1", "", true, int64(0))
	f.Add("two\nlines", "päth", "\u2028\x00\xff\x7f<&>", -1, int64(1<<62), int64(0), "", "x", true, int64(-1))
	f.Fuzz(func(t *testing.T, method, route, path string, status int, size, micros int64, client, session string, aborted bool, nanos int64) {
		for _, at := range []time.Time{time.Unix(0, nanos), time.Unix(0, nanos).UTC(), time.Now()} {
			e := entry{at, method, route, path, status, size, micros, client, session, aborted}
			var want bytes.Buffer
			if err := slog.NewJSONHandler(&want, nil).Handle(t.Context(), e.record()); err != nil {
				t.Fatal(err)
			}
			got, ok := e.appendJSON([]byte("before it "))
			plain := !strings.ContainsFunc(method+route+path+client+session, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' })
			if ok != plain {
				t.Errorf("%q: put together: %v", want.String(), ok)
			}
			if ok && string(got) != "before it "+want.String() {
				t.Errorf("got  %s\nwant %s", got, want.String())
			}
		}
	})
}
