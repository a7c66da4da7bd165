package topology

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/deploy"
)

// What is held up arrives once the relay is mended, on the connection it was sent
// on, and close leaves nothing behind.
func TestARelayHoldsUpWhatIsCut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // an echo
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	r, err := openRelay("127.0.0.1:0", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", r.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	say := func(text string) {
		t.Helper()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(patience time.Duration) (string, error) {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 16)
		n, err := c.Read(b)
		return string(b[:n]), err
	}
	const long = 30 * time.Second
	say("a")
	if got, err := hear(long); got != "a" {
		t.Fatalf("heard %q, %v", got, err)
	}
	r.cut()
	r.cut() // once more is no more
	say("b")
	if got, err := hear(200 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut, and heard %q, %v", got, err)
	}
	r.mend()
	if got, err := hear(long); got != "b" {
		t.Errorf("mended, and heard %q, %v", got, err)
	}
	r.cut()
	r.close() // returns though it is cut
	if _, err := hear(long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("closed, and the connection goes on: %v", err)
	}
}

// The files of bff/deploy are for two servers, and have one line for each.
func TestABalancersFileIsForAsManyServersAsThereAre(t *testing.T) {
	for name, file := range files {
		text, err := deploy.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := forServers(string(text), 2); got != string(text) {
			t.Errorf("%s: for two it is another file", name)
		}
		one, four := forServers(string(text), 1), forServers(string(text), 4)
		if strings.Contains(one, "INSTANCE_B") || !strings.Contains(one, "INSTANCE_A}") {
			t.Errorf("%s: for one it has another's line", name)
		}
		for _, want := range []string{"INSTANCE_A}", "INSTANCE_B}", "INSTANCE_C}", "INSTANCE_D}"} {
			if strings.Count(four, want) != strings.Count(string(text), "INSTANCE_B") {
				t.Errorf("%s: for four there are %d %s", name, strings.Count(four, want), want)
			}
		}
	}
	haproxy, err := deploy.Files.ReadFile(files["haproxy"])
	if err != nil {
		t.Fatal(err)
	}
	if got := forServers(string(haproxy), 3); !strings.Contains(got, "server c \"${INSTANCE_C}:${INSTANCE_PORT}\" cookie c\n") {
		t.Error("the third server has no name and cookie of its own")
	}
}
