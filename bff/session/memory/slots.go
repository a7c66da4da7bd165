package memory

import "math/bits"

// slots keeps values without pointers under numbers from 1 on. They lie in chunks,
// so that nothing is copied when there are more; the lowest free number is used
// first, so that the chunks at the end become empty, and are let go.
type slots[T any] struct {
	chunks []*chunk[T]
	low    int // no chunk before this has room
}

const chunkSize = 1024

type chunk[T any] struct {
	items [chunkSize]T
	taken [chunkSize / 64]uint64
	used  int
}

// at returns the value of a number in use.
func (s *slots[T]) at(n uint32) *T { return &s.chunks[(n-1)/chunkSize].items[(n-1)%chunkSize] }

// take returns a number that is not in use, for a zero value.
func (s *slots[T]) take() uint32 {
	for ; ; s.low++ {
		if s.low == len(s.chunks) {
			s.chunks = append(s.chunks, nil)
		}
		c := s.chunks[s.low]
		if c == nil {
			c = new(chunk[T])
			s.chunks[s.low] = c
		}
		if c.used == chunkSize {
			continue
		}
		for word := range c.taken {
			if free := ^c.taken[word]; free != 0 {
				bit := bits.TrailingZeros64(free)
				c.taken[word] |= 1 << bit
				c.used++
				return uint32(s.low*chunkSize + word*64 + bit + 1)
			}
		}
	}
}

// give takes a number back.
func (s *slots[T]) give(n uint32) {
	i := int(n-1) / chunkSize
	c, at := s.chunks[i], (n-1)%chunkSize
	var zero T
	c.items[at] = zero
	c.taken[at/64] &^= 1 << (at % 64)
	c.used--
	s.low = min(s.low, i)
	if c.used == 0 {
		s.chunks[i] = nil
		for len(s.chunks) > 0 && s.chunks[len(s.chunks)-1] == nil {
			s.chunks = s.chunks[:len(s.chunks)-1]
		}
		s.low = min(s.low, len(s.chunks))
	}
}

// each calls f with every number in use of a chunk. f may give them back.
func (s *slots[T]) each(i int, f func(n uint32)) {
	if i >= len(s.chunks) || s.chunks[i] == nil {
		return
	}
	taken := s.chunks[i].taken
	for word, bitmap := range taken {
		for ; bitmap != 0; bitmap &= bitmap - 1 {
			f(uint32(i*chunkSize + word*64 + bits.TrailingZeros64(bitmap) + 1))
		}
	}
}
