// Package recent remembers for a while what is in use.
//
// It owns the forgetting: time goes by in turns, and what was neither put nor asked
// for in two of them is gone. It has two maps and nothing beside each value, so that
// a map of values without pointers has none for the collector to follow. It locks
// nothing: whoever shares one does.
package recent

import "time"

// Map remembers values. Most is needed.
type Map[K comparable, V any] struct {
	// Most is how many values end a turn: twice as many are kept at most.
	Most int
	// Turn is how long one lasts at most; 0 means that Most alone ends it.
	Turn time.Duration
	// Now is the clock, needed where Turn is.
	Now func() time.Time

	young, old map[K]V
	turned     time.Time
}

// Get returns the value of key, and keeps it in use.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	m.pass()
	if value, ok = m.young[key]; ok {
		return value, true
	}
	if value, ok = m.old[key]; ok {
		m.put(key, value)
	}
	return value, ok
}

// Put remembers a value.
func (m *Map[K, V]) Put(key K, value V) {
	m.pass()
	m.put(key, value)
}

func (m *Map[K, V]) put(key K, value V) {
	if _, there := m.young[key]; !there && len(m.young) >= m.Most {
		m.turn()
	}
	if m.young == nil {
		m.young = map[K]V{}
	}
	m.young[key] = value
}

// Take returns the value of key, and forgets it.
func (m *Map[K, V]) Take(key K) (value V, ok bool) {
	m.pass()
	if value, ok = m.young[key]; !ok {
		value, ok = m.old[key]
	}
	delete(m.young, key)
	delete(m.old, key)
	return value, ok
}

// TakeAll returns all values, and forgets them.
func (m *Map[K, V]) TakeAll() (values []V) {
	m.pass()
	for key, value := range m.old {
		if _, newer := m.young[key]; !newer {
			values = append(values, value)
		}
	}
	for _, value := range m.young {
		values = append(values, value)
	}
	m.young, m.old = nil, nil
	return values
}

// Len is how many values are kept, those twice that changed since the turn began.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }

// pass forgets what was not in use in the turns that have passed.
func (m *Map[K, V]) pass() {
	if m.Turn == 0 {
		return
	}
	now := m.Now()
	switch passed := now.Sub(m.turned); {
	case passed >= 2*m.Turn || passed < 0:
		m.young, m.old, m.turned = nil, nil, now
	case passed >= m.Turn:
		m.turn()
		m.turned = now
	}
}

func (m *Map[K, V]) turn() { m.young, m.old = make(map[K]V, len(m.young)/2), m.young }
