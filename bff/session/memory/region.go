package memory

import "unsafe"

// slabSize is a slab in bytes.
const slabSize = 256 << 10

// region lends slabs of a space.
type region struct {
	*space
	most  int
	fresh int // slabs from here on were never lent
	spare []int
}

// reserve returns a region of n slabs.
func reserve(n int) (*region, error) {
	s, err := newSpace(n)
	return &region{space: s, most: n}, err
}

// take lends a slab of zeros; false when there is none.
func (r *region) take() (i int, ok bool) {
	if n := len(r.spare); n > 0 {
		i, r.spare = r.spare[n-1], r.spare[:n-1]
		return i, true
	}
	if r.fresh == r.most {
		return 0, false
	}
	r.fresh++
	return r.fresh - 1, true
}

// give takes a slab back. What was in it is gone.
func (r *region) give(i int) {
	r.drop(i)
	r.spare = append(r.spare, i)
}

// lent is the number of slabs that are in use.
func (r *region) lent() int { return r.fresh - len(r.spare) }

// table is a slab as values that have no pointers: a power of two of them.
type table[T any] struct {
	slab  int
	items []T
}

// takeTable lends a table. Whoever made the region saw to it that there is one.
func takeTable[T any](r *region) table[T] {
	i, ok := r.take()
	if !ok {
		panic("memory: no room where there was")
	}
	// Slabs begin at a page, and T has no pointers, which the collector would not see.
	return table[T]{i, unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(r.slab(i)))), 1<<tableBits[T]())}
}

// tableBits is the binary logarithm of how many values a table has.
func tableBits[T any]() (bits int) {
	var one T
	for (2<<bits)*int(unsafe.Sizeof(one)) <= slabSize {
		bits++
	}
	return bits
}

// tablesFor is the number of tables for n values.
func tablesFor[T any](n int64) int64 { return n>>tableBits[T]() + 1 }
