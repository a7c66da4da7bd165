package server_test

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// whySpace is why two rows' answers differ.
const whySpace = "a header whose name has a space is another to the next reader (RFC 9112 §5.1)"

// What an API answers is not one answer until its end is known. Each row is what
// it says to alice's call, in one segment; then bob calls, and what he gets must
// be the answer to his own. Beside it the same through ReverseProxy.
var answerRows = []struct {
	name, method string // GET unless said
	send         string
	ends         string // what the API does then: "" waits, "half" closes its sending half, "closes"
	surplus      bool   // more than the answer, which ReverseProxy may notice before the next call or after it
	want         string // "what alice got"
	bare, why    string
}{
	{name: "as it should be", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end"},
	{name: "in chunks", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", want: "200 hello, 200 asked for /v1/end"},
	{name: "until it closes", send: "HTTP/1.1 200 OK\r\n\r\nhello", ends: "closes", want: "200 hello, 200 asked for /v1/end"},
	{name: "until it closes its half", send: "HTTP/1.1 200 OK\r\n\r\nhello", ends: "half", want: "200 hello, 200 asked for /v1/end"},
	{name: "by an HTTP/1.0 server", send: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end"},
	{name: "whole, and it closes", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ends: "closes", want: "200 hello, 200 asked for /v1/end"},
	{name: "whole, and it closes its half", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ends: "half", want: "200 hello, 200 asked for /v1/end"},

	{name: "two answers", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", surplus: true, want: "200 hello, 200 asked for /v1/end"},
	{name: "two answers without a body", send: "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", surplus: true, want: "204, 200 asked for /v1/end"},
	{name: "two answers of length zero", send: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", surplus: true, want: "200, 200 asked for /v1/end"},
	{name: "two answers in chunks", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", surplus: true, want: "200 hello, 200 asked for /v1/end"},
	{name: "HEAD", method: "HEAD", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", want: "200, 200 asked for /v1/end"},
	{name: "HEAD with a body", method: "HEAD", send: "HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", surplus: true, want: "200, 200 asked for /v1/end"},
	{name: "HEAD in chunks", method: "HEAD", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", surplus: true, want: "200, 200 asked for /v1/end"},
	{name: "204 with a length", send: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", surplus: true, want: "204, 200 asked for /v1/end"},
	{name: "204 with chunks", send: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", surplus: true, want: "204, 200 asked for /v1/end"},
	{name: "304 with a length", send: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", want: "304, 200 asked for /v1/end"},
	{name: "304 with a body", send: "HTTP/1.1 304 Not Modified\r\nContent-Length: 46\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", surplus: true, want: "304, 200 asked for /v1/end"},
	{name: "longer than it says", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", surplus: true, want: "200 hello, 200 asked for /v1/end"},

	{name: "it closes in the middle", send: "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", ends: "closes", want: "nothing",
		bare: "200 hello CUT", why: "a short answer is held back until it is whole: there is none"},
	{name: "it closes in the middle of a long one", send: "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nhello", ends: "closes", want: "200 hello CUT"},
	{name: "it closes between chunks", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ends: "closes", want: "200 hello CUT"},
	{name: "it closes in a chunk", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello", ends: "closes", want: "200 hello CUT"},
	{name: "it closes before the trailer", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", ends: "closes", want: "200 hello CUT"},
	{name: "it closes in the head", send: "HTTP/1.1 200 OK\r\nContent-Le", ends: "closes", want: "502, 200 asked for /v1/end"},
	{name: "it closes without a word", send: "", ends: "closes", want: "502, 200 asked for /v1/end"},
	{name: "a chunk that is none", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", want: "200 hello CUT"},
	{name: "a chunk size that overflows", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10000000000000001\r\na", want: "200 hello CUT"},

	{name: "a length and a coding", send: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: "200 hello, 200 asked for /v1/end"},
	{name: "two lengths", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 46\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", want: "502, 200 asked for /v1/end"},
	{name: "two lengths, the same", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end"},
	{name: "a length with a sign", send: "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", want: "502, 200 asked for /v1/end"},
	{name: "an unknown coding", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: "502, 200 asked for /v1/end"},
	{name: "a coding in HTTP/1.0", send: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end"},
	{name: "a folded header", send: "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end"},
	{name: "lines that end in bare LF", send: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200 hello, 200 asked for /v1/end"},
	{name: "a CR in a value", send: "HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: a=b\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end"},
	{name: "a NUL in a value", send: "HTTP/1.1 200 OK\r\nX-A: b\x00c\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end"},
	{name: "a space in a name", send: "HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end",
		bare: "200 hello, 200 asked for /v1/end", why: whySpace},
	{name: "a space before a colon", send: "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", ends: "closes", want: "502, 200 asked for /v1/end",
		bare: "200 hello, 200 asked for /v1/end", why: whySpace},
	{name: "a status of two digits", send: "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end"},
	{name: "a status of four digits", send: "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end"},
	{name: "a status of 099", send: "HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end",
		bare: "nothing", why: "to cut the connection tells the client nothing"},
	{name: "a status of 999", send: "HTTP/1.1 999 OK\r\nContent-Length: 5\r\n\r\nhello", want: "999, 200 asked for /v1/end"},
	{name: "another protocol", send: "SSH-2.0-OpenSSH_9.2\r\n\r\n", want: "502, 200 asked for /v1/end"},
	{name: "a head of 100 KiB", send: "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 100<<10) + "\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end"},
	{name: "an empty line before", send: "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: "502, 200 asked for /v1/end"},

	{name: "a trailer", send: "HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: t\r\n\r\n", want: "200 hello X-T=t, 200 asked for /v1/end"},
	{name: "a trailer nobody announced", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: t\r\n\r\n", want: "200 hello X-T=t, 200 asked for /v1/end"},
	{name: "a trailer with a cookie", send: "HTTP/1.1 200 OK\r\nTrailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: a=b\r\n\r\n", want: "200 hello, 200 asked for /v1/end",
		bare: "200 hello Set-Cookie=a=b, 200 asked for /v1/end", why: "no cookie of an API's is set, early or late"},
	{name: "a trailer of 100 KiB", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", want: "200 hello CUT"},

	{name: "103", send: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: "103 Link, 200 hello, 200 asked for /v1/end"},
	{name: "103 with a cookie", send: "HTTP/1.1 103 Early Hints\r\nSet-Cookie: a=b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: "103, 200 hello, 200 asked for /v1/end",
		bare: "103 Set-Cookie, 200 hello, 200 asked for /v1/end", why: "no cookie of an API's is set, early or late"},
	{name: "100 that nobody waits for", send: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end",
		bare: "100, 200 hello, 200 asked for /v1/end", why: "100 is between two peers"},
	{name: "103 and no end", send: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", ends: "closes", want: "103 Link, 502, 200 asked for /v1/end"},
	{name: "103 without end", send: strings.Repeat("HTTP/1.1 103 Early Hints\r\nX-A: "+strings.Repeat("a", 1000)+"\r\n\r\n", 100), ends: "closes", want: "103 x63, 502, 200 asked for /v1/end",
		bare: "103 x100, 502, 200 asked for /v1/end", why: "all heads of an answer share one bound"},
	{name: "101 that nobody asked for", send: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", want: "502, 200 asked for /v1/end"},
	{name: "Connection names Content-Length", send: "HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end"},
	{name: "Connection closes", send: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello, 200 asked for /v1/end"},
}

func TestAnAnswerHasOneEnd(t *testing.T) {
	for _, f := range openFaces(t, "") {
		t.Run(f.name, func(t *testing.T) {
			for _, row := range answerRows {
				t.Run(row.name, func(t *testing.T) {
					f.api.answers(func(c *peer, r sent) {
						if r.target() != "/v1/orders" {
							echo(c, r)
							return
						}
						c.say(row.send)
						switch row.ends {
						case "half":
							c.half()
						case "closes":
							_ = c.Close()
						}
					})
					request := "{get}\r\n"
					if row.method == "HEAD" {
						request = "{head}\r\n"
					}
					got := f.talk(t, f.fill(request))
					for range 3 {
						if bob := f.talk(t, f.end(f.bobs)); bob != "200 asked for /v1/end" && (f.ours || !row.surplus) {
							t.Errorf("bob got %s", bob)
						}
					}
					_ = f.reached(t)
					want := row.want
					if !f.ours && row.bare != "" {
						want = row.bare
					}
					if !f.ours && row.surplus { // what the next call got is a matter of luck
						got, _, _ = strings.Cut(got, ",")
						want, _, _ = strings.Cut(want, ",")
					}
					if got = cmp.Or(got, "nothing"); got != want {
						t.Errorf("\n got %s\nwant %s", got, want)
					}
				})
			}
		})
	}
}

// TestASurplusIsNobodysAnswer is about the moment in which a connection changes
// hands: an API that sends a body where none may be, to HEAD, with 204 or 304,
// writes the next caller's answer. What is in that body, a user may have chosen.
func TestASurplusIsNobodysAnswer(t *testing.T) {
	const calls, users = 150, 8
	for _, f := range openFaces(t, "") {
		t.Run(f.name, func(t *testing.T) {
			f.api.answers(func(c *peer, r sent) {
				if r.target() != "/v1/orders" {
					echo(c, r)
					return
				}
				c.say("HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
			})
			var poisoned atomic.Int64
			var group sync.WaitGroup
			for i := range users {
				group.Go(func() {
					attacker, victim := f.dial(t), f.dial(t)
					for n := range calls {
						attacker.say(f.fill("{head}\r\n"))
						path := fmt.Sprintf("/api/own/%d/%d", i, n)
						victim.say("GET " + path + " HTTP/1.1\r\nHost: " + f.host + "\r\n" + f.bobs + "\r\n")
						if got, _ := hear(t, attacker, "HEAD"); got != "200" && (f.ours || !strings.HasPrefix(got, "502")) {
							t.Errorf("the attacker got %s", got)
							return
						}
						got, more := hear(t, victim, "GET")
						switch {
						case got == "200 asked for /v1"+strings.TrimPrefix(path, "/api"):
						case strings.HasPrefix(got, "502"): // no answer is no wrong answer
						default:
							poisoned.Add(1)
						}
						if !more {
							return
						}
					}
				})
			}
			group.Wait()
			_ = f.reached(t)
			if n := poisoned.Load(); n > 0 && f.ours {
				t.Errorf("%d calls got what another's answer left over", n)
			} else {
				t.Logf("%d of %d calls got what another's answer left over", n, calls*users)
			}
		})
	}
}
