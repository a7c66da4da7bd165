//go:build !unix

package memory

// region is the slabs in use, each an object of the Go heap without pointers.
type region struct{ slabs [][]byte }

func reserve(n int) (*region, error) { return &region{make([][]byte, n)}, nil }

func (r *region) slab(i int) []byte {
	if r.slabs[i] == nil {
		r.slabs[i] = make([]byte, slabSize)
	}
	return r.slabs[i]
}

func (r *region) drop(i int) { r.slabs[i] = nil }
