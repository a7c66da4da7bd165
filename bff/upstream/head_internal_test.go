package upstream

import (
	"bytes"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// Every byte at every place of what is read eight at a time, and two of them side
// by side, whose sums could carry.
func TestAValueIsWhatHTTPSaysItIs(t *testing.T) {
	for size := range 20 {
		for at := range size {
			for b := range 256 {
				for _, fill := range []byte{'a', 0x80, 0xff, ' ', '\t'} {
					v := bytes.Repeat([]byte{fill}, size)
					v[at] = byte(b)
					if got, want := isValue(string(v)), httpguts.ValidHeaderFieldValue(string(v)); got != want {
						t.Fatalf("%q: %v, want %v", v, got, want)
					}
				}
			}
		}
	}
}

func BenchmarkIsValue(b *testing.B) {
	v := string(bytes.Repeat([]byte("a"), 1200))
	for b.Loop() {
		if !isValue(v) {
			b.Fatal()
		}
	}
}
