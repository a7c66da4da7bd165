package memory

import "math/bits"

// buckets is a hash table of numbers by linear hashing (Litwin, 1980): it grows
// and shrinks by one bucket at a time, so that no request waits for the whole of
// it to be moved. The chains are in what the numbers stand for.
type buckets struct {
	of     chained
	region *region
	bits   int // of a table
	tables []table[uint32]
	n      uint32 // buckets
	count  uint32 // numbers
}

// chained are the values that numbers stand for.
type chained interface {
	next(n uint32) *uint32
	hash(n uint32) uint64
}

func newBuckets(r *region, of chained) *buckets {
	return &buckets{of: of, region: r, bits: tableBits[uint32](), tables: []table[uint32]{takeTable[uint32](r)}, n: 1}
}

func (b *buckets) at(i uint32) *uint32 { return &b.tables[i>>b.bits].items[i&(1<<b.bits-1)] }

// first returns where the chain of a hash begins.
func (b *buckets) first(hash uint64) *uint32 {
	top := uint32(1) << bits.Len32(b.n-1) // the power of two that n has not yet passed
	i := uint32(hash) & (top - 1)
	if i >= b.n {
		i &= top>>1 - 1
	}
	return b.at(i)
}

// add puts a number into the chain of its hash.
func (b *buckets) add(n uint32) {
	head := b.first(b.of.hash(n))
	*b.of.next(n), *head = *head, n
	if b.count++; b.count > b.n {
		b.grow()
	}
}

// remove takes it out.
func (b *buckets) remove(n uint32) {
	at := b.first(b.of.hash(n))
	for *at != n {
		at = b.of.next(*at)
	}
	*at = *b.of.next(n)
	b.count--
	for range 3 { // faster than numbers go, so that it ends small
		if b.count < b.n/4 {
			b.shrink()
		}
	}
}

// grow adds a bucket, and moves into it what now belongs there: all of it is in
// the bucket that is as far from the power of two below.
func (b *buckets) grow() {
	if b.n&(1<<b.bits-1) == 0 {
		b.tables = append(b.tables, takeTable[uint32](b.region))
	}
	from := b.n - uint32(1)<<(bits.Len32(b.n)-1)
	chain := *b.at(from)
	*b.at(from) = 0
	*b.at(b.n) = 0
	b.n++
	b.spread(chain)
}

// shrink takes the last bucket away.
func (b *buckets) shrink() {
	last := b.n - 1
	chain := *b.at(last)
	*b.at(last) = 0
	b.n = last
	b.spread(chain)
	if b.n&(1<<b.bits-1) == 0 {
		end := len(b.tables) - 1
		b.region.give(b.tables[end].slab)
		b.tables = b.tables[:end]
	}
}

// spread puts every number of a chain where it belongs.
func (b *buckets) spread(chain uint32) {
	for chain != 0 {
		next := b.of.next(chain)
		after := *next
		head := b.first(b.of.hash(chain))
		*next, *head = *head, chain
		chain = after
	}
}
