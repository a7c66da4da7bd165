package server_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// Conversations in which both sides wait for each other. Each goes through the
// whole server and, beside it, through the standard library's ReverseProxy.

// forEachFace runs a test on both.
func forEachFace(t *testing.T, test func(t *testing.T, f *face)) {
	t.Helper()
	for _, f := range openFaces(t, "") {
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}

// expect reads an answer and fails unless it is this.
func expect(t *testing.T, c *peer, method, want string) {
	t.Helper()
	if got, _ := hear(t, c, method); got != want {
		t.Errorf("the client got %q, want %q", got, want)
	}
}

// A client that expects 100 sends nothing before it: the body must arrive at an
// API that asks for it, and must not at one that refuses (RFC 9110 §10.1.1).
func TestTheBodyWaitsForBothToWantIt(t *testing.T) {
	forEachFace(t, func(t *testing.T, f *face) {
		t.Run("and is sent when it is asked for", func(t *testing.T) {
			f.api.answers(func(c *peer, r sent) {
				if c.in.Buffered() > 0 {
					t.Error("the body came before it was asked for")
				}
				c.say("HTTP/1.1 100 Continue\r\n\r\n")
				readBody(c.in, &r)
				c.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.body), r.body))
			})
			c := f.dial(t)
			c.say(f.fill("{post}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"))
			expect(t, c, "POST", "100")
			c.say("hello")
			got, _ := hear(t, c, "POST")
			for got == "100" && !f.ours { // ReverseProxy may say so itself, and pass on that the API does
				got, _ = hear(t, c, "POST")
			}
			if got != "200 hello" {
				t.Errorf("the client got %q", got)
			}
		})
		t.Run("and is not when the API refuses", func(t *testing.T) {
			closed := make(chan int, 1)
			f.api.answers(func(c *peer, r sent) {
				if r.target() != "/v1/orders" {
					echo(c, r)
					return
				}
				c.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
				rest, _ := io.ReadAll(c.in)
				closed <- len(rest)
			})
			c := f.dial(t)
			c.say(f.fill("{post}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"))
			// ReverseProxy asks the client for the body as soon as it asks the API.
			if f.ours {
				expect(t, c, "POST", "413")
			} else if got, _ := hear(t, c, "POST"); got != "413" && got != "100" {
				t.Errorf("the client got %s", got)
			}
			_ = c.Close()
			if n := <-closed; n > 0 {
				t.Errorf("%d bytes of the body were sent to an API that had refused it", n)
			}
			if bob := f.talk(t, f.end(f.bobs)); bob != "200 asked for /v1/end" {
				t.Errorf("bob got %s", bob)
			}
		})
		t.Run("and is when the API says nothing", func(t *testing.T) {
			f.api.answers(func(c *peer, r sent) {
				readBody(c.in, &r) // by RFC 9110 §10.1.1 a client does not wait for ever
				c.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.body), r.body))
			})
			c := f.dial(t)
			c.say(f.fill("{post}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"))
			got, _ := hear(t, c, "POST")
			if got == "100" {
				got, _ = hear(t, c, "POST")
			}
			if got != "200 hello" {
				t.Errorf("the client got %s", got)
			}
		})
	})
}

// An answer may come while the request's body is still sent. It is passed on, and
// neither connection carries another request: the rest of the body would be it.
func TestAnAnswerThatComesBeforeTheBodyEnds(t *testing.T) {
	forEachFace(t, func(t *testing.T, f *face) {
		for name, framing := range map[string]string{
			"of a known length": "Content-Length: 100000\r\n\r\nonly the begin",
			"in chunks":         "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				rest := make(chan string, 1)
				f.api.answers(func(c *peer, r sent) {
					if r.target() != "/v1/early" {
						echo(c, r)
						return
					}
					// The header said Expect, so that the body was left to us.
					c.say("HTTP/1.1 100 Continue\r\n\r\n")
					c.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
					all, _ := io.ReadAll(c.in)
					rest <- string(all)
				})
				c := f.dial(t)
				c.say(strings.Replace(f.fill("{post}Expect: 100-continue\r\n"), "/api/orders", "/api/early", 1) + framing)
				got, _ := hear(t, c, "POST")
				for got == "100" { // ReverseProxy may say so itself, and pass on that the API does
					got, _ = hear(t, c, "POST")
				}
				if got != "403" {
					t.Errorf("the client got %s", got)
				}
				c.say(f.fill("{smuggled}"))
				_ = c.Close()
				if all := <-rest; strings.Contains(all, "Host:") && !strings.Contains(all, "GET /api/smuggled") {
					t.Errorf("another request followed on the same connection: %q", all)
				}
				for _, r := range f.api.take() {
					if r.target() == "/v1/smuggled" {
						t.Errorf("the rest of a body became a request: %s", r)
					}
				}
				if bob := f.talk(t, f.end(f.bobs)); bob != "200 asked for /v1/end" {
					t.Errorf("bob got %s", bob)
				}
			})
		}
	})
}

// A connection that waited may be closed just when it is used. What is safe to
// repeat is; what is not is never sent twice.
func TestNothingIsSentTwiceThatMayNotBe(t *testing.T) {
	forEachFace(t, func(t *testing.T, f *face) {
		for _, row := range []struct {
			name, request string
			idle          bool // the API closes before the request; else when it has it
			want          string
			times         int
		}{
			{"GET, closed before", "{get}\r\n", true, "200 asked for /v1/orders", 1},
			{"POST, closed before", "{post}Content-Length: 5\r\n\r\nhello", true, "200 asked for /v1/orders", 1},
			{"GET, closed when it came", "{get}\r\n", false, "200 asked for /v1/orders", 2},
			{"POST with a body, closed when it came", "{post}Content-Length: 5\r\n\r\nhello", false, "502", 1},
			{"POST in chunks, closed when it came", "{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, "502", 1},
			{"POST without a body, closed when it came", "{post}Content-Length: 0\r\n\r\n", false, "502", 1},
			{"DELETE, closed when it came", "DELETE /api/orders HTTP/1.1\r\n{host}{good}\r\n", false, "502", 1},
			{"GET with a body, closed when it came", "{get}Content-Length: 5\r\n\r\nhello", false, "502", 1},
		} {
			t.Run(row.name, func(t *testing.T) {
				waiting := make(chan *peer, 10)
				first := 0
				f.api.answers(func(c *peer, r sent) {
					echo(c, r)
					if r.target() == "/v1/end" {
						waiting <- c
						first = r.conn
					}
				})
				if got := f.talk(t, f.end(f.good)); got != "200 asked for /v1/end" {
					t.Fatal(got)
				}
				kept := <-waiting
				if row.idle {
					_ = kept.Close()
				}
				f.api.take()
				f.api.answers(func(c *peer, r sent) {
					if r.conn == first {
						_ = c.Close()
						return
					}
					echo(c, r)
				})
				method, _, _ := strings.Cut(f.fill(row.request), " ")
				c := f.dial(t)
				c.say(f.fill(row.request))
				if got, _ := hear(t, c, method); got != row.want && (f.ours || got != "502") { // ReverseProxy may notice too late
					t.Errorf("the client got %q, want %q", got, row.want)
				}
				if got := f.api.take(); len(got) != row.times && (f.ours || len(got) > row.times) {
					t.Errorf("the API got %d requests, want %d: %v", len(got), row.times, got)
				}
				_ = c.Close()
			})
		}
	})
}

// What comes after an answer without a body comes late, on purpose: when the next
// request is there. ReverseProxy passes it on as that request's answer.
func TestWhatFollowsABodilessAnswerIsNobodysAnswer(t *testing.T) {
	forEachFace(t, func(t *testing.T, f *face) {
		for name, head := range map[string]string{
			"HEAD": "HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\n",
			"204":  "HTTP/1.1 204 No Content\r\nContent-Length: 46\r\n\r\n",
			"304":  "HTTP/1.1 304 Not Modified\r\nContent-Length: 46\r\n\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				owing := 0
				f.api.answers(func(c *peer, r sent) {
					switch {
					case r.target() == "/v1/orders":
						owing = r.conn
						c.say(head)
					case r.conn == owing:
						c.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
						echo(c, r)
					default:
						echo(c, r)
					}
				})
				method := "GET"
				if name == "HEAD" {
					method = "HEAD"
				}
				c := f.dial(t)
				c.say(method + " " + strings.SplitN(f.fill("{get}\r\n"), " ", 2)[1])
				if got, _ := hear(t, c, method); got != "200" && got != name {
					t.Fatalf("the first got %s", got)
				}
				_ = c.Close()
				switch bob := f.talk(t, f.end(f.bobs)); {
				case f.ours && bob != "200 asked for /v1/end":
					t.Errorf("bob got %s", bob)
				case !f.ours && bob != "200 poison":
					t.Logf("bob got %s", bob)
				}
			})
		}
	})
}

// A client that leaves ends the call at the API: before the answer, in it, and in
// the middle of its own body. So does one that closes its sending half, since
// net/http cannot tell it from one that left.
func TestAClientThatLeavesEndsTheCall(t *testing.T) {
	forEachFace(t, func(t *testing.T, f *face) {
		for _, row := range []struct{ name, request, answer string }{
			{"before the answer", "{get}\r\n", ""},
			{"in an answer of known length", "{get}\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nhello"},
			{"in a stream", "{get}\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n"},
			{"in its own body", "{post}Expect: 100-continue\r\nContent-Length: 50000\r\n\r\nhello", "HTTP/1.1 100 Continue\r\n\r\n"},
		} {
			for _, how := range []string{"closes", "closes its half"} {
				t.Run(row.name+", "+how, func(t *testing.T) {
					arrived, ended := make(chan bool, 1), make(chan bool, 1)
					f.api.answers(func(c *peer, r sent) {
						c.say(row.answer)
						arrived <- true
						_ = c.SetReadDeadline(time.Now().Add(patience))
						_, err := io.Copy(io.Discard, c.in)
						ended <- err == nil || strings.Contains(err.Error(), "reset")
					})
					c := f.dial(t)
					c.say(f.fill(row.request))
					<-arrived
					if row.answer != "" && strings.HasPrefix(row.answer, "HTTP/1.1 200") {
						if _, err := c.in.ReadString('\n'); err != nil {
							t.Fatal(err)
						}
					}
					if how == "closes" {
						_ = c.Close()
					} else {
						c.half()
					}
					if !<-ended {
						t.Error("the API was never told")
					}
				})
			}
		}
	})
}

// Events arrive one by one: each is sent only when the one before was read.
func TestEventsPassTheWholeServerAsTheyCome(t *testing.T) {
	forEachFace(t, func(t *testing.T, f *face) {
		for name, head := range map[string]string{
			"until it closes": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
			"in chunks":       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				next := make(chan int)
				f.api.answers(func(c *peer, _ sent) {
					c.say(head)
					for n := range next {
						event := fmt.Sprintf("data: %d\n\n", n)
						if name == "in chunks" {
							event = fmt.Sprintf("%x\r\n%s\r\n", len(event), event)
						}
						c.say(event)
					}
					_ = c.Close()
				})
				c := f.dial(t)
				c.say(f.fill("{get}Accept: text/event-stream\r\n\r\n"))
				for n := range 3 {
					next <- n
					for {
						line, err := c.in.ReadString('\n')
						if err != nil {
							t.Fatal(err)
						}
						if line == fmt.Sprintf("data: %d\n", n) {
							break
						}
					}
				}
				close(next)
			})
		}
	})
}

// Both ways at once and in lock step: nothing waits in a buffer.
func TestBytesGoBothWaysInLockStep(t *testing.T) {
	forEachFace(t, func(t *testing.T, f *face) {
		f.api.answers(func(c *peer, _ sent) {
			c.say("HTTP/1.1 100 Continue\r\n\r\n")
			c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for {
				size, err := c.in.ReadString('\n')
				if err != nil || strings.TrimSpace(size) == "0" {
					break
				}
				line, err := c.in.ReadString('\n')
				if err != nil {
					break
				}
				line = strings.TrimSuffix(line, "\r\n")
				c.say(fmt.Sprintf("%x\r\n%s\r\n", len(line), line))
			}
			_, _ = c.in.ReadString('\n')
			c.say("0\r\n\r\n")
		})
		c := f.dial(t)
		c.say(f.fill("{post}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"))
		heads := 0
		for heads == 0 {
			line, err := c.in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, "HTTP/1.1 200") {
				heads++
			}
		}
		for line := ""; line != "\r\n"; {
			var err error
			if line, err = c.in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		for _, word := range []string{"one", "two", "three"} {
			c.say(fmt.Sprintf("%x\r\n%s\r\n", len(word), word))
			for line := ""; strings.TrimSpace(line) != word; {
				var err error
				if line, err = c.in.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.say("0\r\n\r\n")
	})
}

// A client that never ends its head holds a connection for ten seconds, and
// nothing else.
func TestAHeadThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	f := openOurs(t, "")
	for _, begun := range []string{"", "GET /api/ord", "{get}X-A: b\r\n"} {
		c := f.dial(t)
		c.say(f.fill(begun))
		defer func() {
			if _, err := io.ReadAll(c.in); err != nil { // ends before patience does
				t.Errorf("%q: %v", begun, err)
			}
		}()
	}
	if got := f.talk(t, f.end(f.good)); got != "200 asked for /v1/end" {
		t.Errorf("the others got %s", got)
	}
}
