package idp

import (
	"iter"
	"time"
)

// shelf keeps values under a key until they expire, and never more than limit
// of them: when full, what would expire first makes room. Callers lock.
type shelf[V any] struct {
	limit int
	items map[string]shelved[V]
}

type shelved[V any] struct {
	value   V
	expires time.Time
}

func newShelf[V any](limit int) *shelf[V] {
	return &shelf[V]{limit: limit, items: map[string]shelved[V]{}}
}

func (s *shelf[V]) put(key string, value V, expires, now time.Time) {
	if _, replaces := s.items[key]; !replaces && len(s.items) >= s.limit {
		s.makeRoom(now)
	}
	s.items[key] = shelved[V]{value, expires}
}

// makeRoom drops everything expired, and the next to expire when that is nothing.
func (s *shelf[V]) makeRoom(now time.Time) {
	var first string
	var earliest time.Time
	for key, item := range s.items {
		if !now.Before(item.expires) {
			delete(s.items, key)
		} else if earliest.IsZero() || item.expires.Before(earliest) {
			first, earliest = key, item.expires
		}
	}
	if len(s.items) >= s.limit {
		delete(s.items, first)
	}
}

func (s *shelf[V]) get(key string, now time.Time) (V, bool) {
	item, ok := s.items[key]
	if !ok || !now.Before(item.expires) {
		delete(s.items, key)
		var zero V
		return zero, false
	}
	return item.value, true
}

// change replaces the value under key by what edit makes of it.
func (s *shelf[V]) change(key string, now time.Time, edit func(*V)) (V, bool) {
	value, ok := s.get(key, now)
	if ok {
		edit(&value)
		s.items[key] = shelved[V]{value, s.items[key].expires}
	}
	return value, ok
}

func (s *shelf[V]) take(key string, now time.Time) (V, bool) {
	value, ok := s.get(key, now)
	delete(s.items, key)
	return value, ok
}

func (s *shelf[V]) all(now time.Time) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for key, item := range s.items {
			if now.Before(item.expires) && !yield(key, item.value) {
				return
			}
		}
	}
}
