package memory

import "encoding/binary"

// The blocks of a slab are all of one size. A block begins with the number of the
// entry whose data it holds, 0 when it is free; then its next 4 bytes name the next
// free block of its slab.
const blockHead = 4

// Sizes of blocks, in bytes: every 32nd up to 16 KiB, so that a session wastes 16
// on average, and above that some few.
const (
	step      = 32
	smallMost = 16 << 10
	smalls    = smallMost/step + 1
)

var larges = [...]int{24 << 10, 32 << 10, 48 << 10, 64 << 10, 96 << 10, 128 << 10, slabSize}

const classes = smalls + len(larges)

// classOf returns the class of blocks for n bytes of data; false when none is
// large enough.
func classOf(n int) (int, bool) {
	n += blockHead
	if n <= smallMost {
		return max((n+step-1)/step, 1), true
	}
	for i, size := range larges {
		if n <= size {
			return smalls + i, true
		}
	}
	return 0, false
}

func blockSize(class int) int {
	if class < smalls {
		return class * step
	}
	return larges[class-smalls]
}

func perSlab(class int) int { return slabSize / blockSize(class) }

// block is where data lies. It is no pointer, and nothing of it is scanned.
type block struct {
	slab  uint32
	index uint16
}

// slab is what is known of one.
type slab struct {
	class      int32 // 0: not in use
	used       int32
	fresh      int32 // blocks from here on were never used
	free       int32 // the first free block before that, counted from 1
	prev, next int32 // slabs of the class with room, counted from 1
}

// slabs lends blocks.
type slabs struct {
	region *region
	most   int // how many may be in use: the others are for tables
	inUse  int
	all    []slab         // by their numbers in the region
	room   [classes]int32 // the first slab of each class with room, counted from 1
	used   [classes]int   // blocks
	count  [classes]int   // slabs
}

// alloc returns a block for n bytes of entry owner, and where to write them;
// false when there is no room.
func (s *slabs) alloc(owner uint32, n int) (block, []byte, bool) {
	class, ok := classOf(n)
	if !ok {
		return block{}, nil, false
	}
	if s.room[class] == 0 && !s.begin(class) {
		return block{}, nil, false
	}
	i := s.room[class] - 1
	one, memory, size := &s.all[i], s.region.slab(int(i)), blockSize(class)
	index := one.fresh
	if one.free > 0 {
		index = one.free - 1
		one.free = int32(binary.LittleEndian.Uint32(memory[int(index)*size+blockHead:]))
	} else {
		one.fresh++
	}
	one.used++
	s.used[class]++
	if int(one.used) == perSlab(class) {
		s.unlink(i)
	}
	at := memory[int(index)*size : (int(index)+1)*size]
	binary.LittleEndian.PutUint32(at, owner)
	return block{uint32(i), uint16(index)}, at[blockHead : blockHead+n], true
}

// begin takes a slab into use.
func (s *slabs) begin(class int) bool {
	if s.inUse == s.most {
		return false
	}
	i, ok := s.region.take()
	if !ok {
		return false
	}
	s.inUse++
	for i >= len(s.all) {
		s.all = append(s.all, slab{})
	}
	s.all[i] = slab{class: int32(class)}
	s.count[class]++
	s.link(int32(i))
	return true
}

// data is what a block of n bytes holds.
func (s *slabs) data(b block, n int) []byte {
	size := blockSize(int(s.all[b.slab].class))
	from := int(b.index)*size + blockHead
	return s.region.slab(int(b.slab))[from : from+n]
}

// free takes a block back, and lets a slab go that has none any more.
func (s *slabs) free(b block) {
	i := int32(b.slab)
	one := &s.all[i]
	class := int(one.class)
	size := blockSize(class)
	at := s.region.slab(int(i))[int(b.index)*size:][:size]
	clear(at) // nothing of a session stays behind
	binary.LittleEndian.PutUint32(at[blockHead:], uint32(one.free))
	one.free = int32(b.index) + 1
	if int(one.used) == perSlab(class) {
		s.link(i)
	}
	one.used--
	s.used[class]--
	if one.used == 0 {
		s.unlink(i)
		s.end(i)
	}
}

// end lets a slab go that is linked nowhere.
func (s *slabs) end(i int32) {
	s.count[s.all[i].class]--
	s.all[i] = slab{}
	s.region.give(int(i))
	s.inUse--
}

// compact empties one slab whose blocks find room in others of its class, if
// there are many such: an eighth of the class and two slabs' worth are free.
// moved is told where the data of an entry went.
func (s *slabs) compact(moved func(owner uint32, to block)) bool {
	worst, most := int32(-1), int32(0)
	for i := range s.all {
		one := &s.all[i]
		if one.class == 0 {
			continue
		}
		class := int(one.class)
		per := perSlab(class)
		free := s.count[class]*per - s.used[class]
		if empty := int32(per) - one.used; free >= 2*per && free > s.used[class]/8 && empty*int32(blockSize(class)) > most {
			worst, most = int32(i), empty*int32(blockSize(class))
		}
	}
	if worst < 0 {
		return false
	}
	class := int(s.all[worst].class)
	s.unlink(worst)
	size, memory := blockSize(class), s.region.slab(int(worst))
	for index := range int(s.all[worst].fresh) {
		at := memory[index*size:][:size]
		if owner := binary.LittleEndian.Uint32(at); owner != 0 {
			to, room, ok := s.alloc(owner, size-blockHead)
			if !ok {
				panic("memory: no room where there was") // two slabs' worth were free
			}
			copy(room, at[blockHead:])
			s.used[class]-- // of the one it leaves
			moved(owner, to)
		}
	}
	s.end(worst)
	return true
}

// link puts a slab first among those of its class with room.
func (s *slabs) link(i int32) {
	one := &s.all[i]
	one.prev, one.next = 0, s.room[one.class]
	if one.next > 0 {
		s.all[one.next-1].prev = i + 1
	}
	s.room[one.class] = i + 1
}

func (s *slabs) unlink(i int32) {
	one := &s.all[i]
	if one.next > 0 {
		s.all[one.next-1].prev = one.prev
	}
	if one.prev > 0 {
		s.all[one.prev-1].next = one.next
	} else {
		s.room[one.class] = one.next
	}
	one.prev, one.next = 0, 0
}
