package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are at most 1/32 wide, so that a
// quantile is right to 3 %.
type histogram struct {
	buckets [64 << fine]uint32
	count   uint64
}

// fine is how many bits of a duration, after its first, choose its bucket.
const fine = 5

func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(uint64(max(d, 0)))]++
	h.count++
}

// bucketOf keeps the first bits of n and how many follow them. What is too
// short to lose any has a bucket to itself.
func bucketOf(n uint64) int {
	dropped := max(bits.Len64(n)-fine-1, 0)
	return dropped<<fine + int(n>>dropped)
}

// upper is the least duration that no longer falls into the bucket.
func upper(bucket int) time.Duration {
	dropped := max(bucket>>fine-1, 0)
	return time.Duration((uint64(bucket-dropped<<fine) + 1) << dropped)
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
}

// quantile returns a duration that the share q of all stay below.
func (h *histogram) quantile(q float64) time.Duration {
	wanted := uint64(q * float64(h.count))
	var below uint64
	for i, n := range h.buckets {
		if below += uint64(n); below > wanted || below == h.count {
			return upper(i)
		}
	}
	return 0
}
