//go:build !unix

package memory

// space is the slabs in use, each an object of the Go heap without pointers.
type space struct{ slabs [][]byte }

func newSpace(n int) (*space, error) { return &space{make([][]byte, n)}, nil }

func (s *space) slab(i int) []byte {
	if s.slabs[i] == nil {
		s.slabs[i] = make([]byte, slabSize)
	}
	return s.slabs[i]
}

func (s *space) drop(i int) { s.slabs[i] = nil }
