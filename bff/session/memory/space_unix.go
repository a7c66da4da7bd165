//go:build unix

package memory

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// space is addresses for n slabs, outside the Go heap: the collector neither scans
// it nor lets the heap grow with it. A slab takes memory when it is first written,
// and gives it back when it is dropped.
type space struct{ bytes []byte }

func newSpace(n int) (*space, error) {
	bytes, err := unix.Mmap(-1, 0, n*slabSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("memory: reserve %d MiB of addresses: %w", n*slabSize>>20, err)
	}
	s := &space{bytes}
	runtime.AddCleanup(s, func(bytes []byte) { _ = unix.Munmap(bytes) }, bytes)
	return s, nil
}

// slab is one of them, zero where it was never written.
func (s *space) slab(i int) []byte { return s.bytes[i*slabSize : (i+1)*slabSize : (i+1)*slabSize] }

// drop gives the memory of a slab back. What was in it is gone.
func (s *space) drop(i int) {
	if unix.Madvise(s.slab(i), unix.MADV_DONTNEED) != nil {
		clear(s.slab(i))
	}
}
