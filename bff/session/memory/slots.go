package memory

import "math/bits"

// slots keeps values without pointers under numbers from 1 on. They lie in tables,
// so that nothing is copied when there are more; the lowest free number is used
// first, so that the tables at the end become empty, and are let go.
type slots[T any] struct {
	region *region
	bits   int // of a table
	chunks []*chunk[T]
	low    int // no chunk before this has room
}

// chunk is a table, and which of its values are in use.
type chunk[T any] struct {
	table[T]
	taken []uint64
	used  int
}

func newSlots[T any](r *region) slots[T] { return slots[T]{region: r, bits: tableBits[T]()} }

// at returns the value of a number in use.
func (s *slots[T]) at(n uint32) *T {
	return &s.chunks[(n-1)>>s.bits].items[(n-1)&(1<<s.bits-1)]
}

// take returns a number that is not in use, for a zero value.
func (s *slots[T]) take() uint32 {
	for ; ; s.low++ {
		if s.low == len(s.chunks) {
			s.chunks = append(s.chunks, nil)
		}
		c := s.chunks[s.low]
		if c == nil {
			c = &chunk[T]{table: takeTable[T](s.region), taken: make([]uint64, 1<<s.bits/64)}
			s.chunks[s.low] = c
		}
		if c.used == len(c.items) {
			continue
		}
		for word := range c.taken {
			if free := ^c.taken[word]; free != 0 {
				bit := bits.TrailingZeros64(free)
				c.taken[word] |= 1 << bit
				c.used++
				return uint32(s.low<<s.bits + word*64 + bit + 1)
			}
		}
	}
}

// give takes a number back.
func (s *slots[T]) give(n uint32) {
	i := int(n-1) >> s.bits
	c, at := s.chunks[i], (n-1)&(1<<s.bits-1)
	var zero T
	c.items[at] = zero
	c.taken[at/64] &^= 1 << (at % 64)
	c.used--
	s.low = min(s.low, i)
	if c.used == 0 {
		s.region.give(c.slab)
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
	for word, bitmap := range s.chunks[i].taken {
		for ; bitmap != 0; bitmap &= bitmap - 1 {
			f(uint32(i<<s.bits + word*64 + bits.TrailingZeros64(bitmap) + 1))
		}
	}
}
