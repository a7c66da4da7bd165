//go:build unix

package memory

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// region is address space for slabs, outside the Go heap: the collector neither
// scans it nor lets the heap grow with it. A slab takes memory when it is first
// written, and gives it back when it is dropped.
type region struct{ space []byte }

// reserve returns a region of n slabs.
func reserve(n int) (*region, error) {
	space, err := unix.Mmap(-1, 0, n*slabSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("memory: reserve %d MiB of addresses: %w", n*slabSize>>20, err)
	}
	r := &region{space}
	runtime.AddCleanup(r, func(space []byte) { _ = unix.Munmap(space) }, space)
	return r, nil
}

// slab is one of the region's.
func (r *region) slab(i int) []byte { return r.space[i*slabSize : (i+1)*slabSize : (i+1)*slabSize] }

// drop gives the memory of a slab back. What was in it is gone.
func (r *region) drop(i int) {
	if unix.Madvise(r.slab(i), unix.MADV_DONTNEED) != nil {
		clear(r.slab(i))
	}
}
