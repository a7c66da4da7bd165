package recent_test

import (
	"slices"
	"testing"
	"time"

	"cloakroom/bff/recent"
)

// clocked is a map with a turn of a minute, and its clock.
func clocked(most int) (*recent.Map[int, string], *time.Time) {
	now := time.Unix(1_800_000_000, 0)
	return &recent.Map[int, string]{Most: most, Turn: time.Minute, Now: func() time.Time { return now }}, &now
}

func TestWhatIsInUseStaysAndTheRestGoes(t *testing.T) {
	m, now := clocked(10)
	m.Put(1, "used")
	m.Put(2, "left")
	for range 20 {
		*now = now.Add(50 * time.Second)
		if got, ok := m.Get(1); !ok || got != "used" {
			t.Fatalf("what is in use is %q, %v", got, ok)
		}
	}
	if got, ok := m.Get(2); ok {
		t.Errorf("what nobody asked for is still %q", got)
	}
	*now = now.Add(2 * time.Minute)
	if _, ok := m.Get(1); ok {
		t.Error("it outlives a pause")
	}
	m.Put(1, "again")
	*now = now.Add(-time.Hour)
	if _, ok := m.Get(1); ok {
		t.Error("it outlives a clock that was set back")
	}
}

func TestItIsBounded(t *testing.T) {
	m, _ := clocked(10)
	for i := range 1000 {
		m.Put(i, "")
		m.Put(i, "once more")
		if m.Len() > 20 {
			t.Fatalf("%d values", m.Len())
		}
		if got, ok := m.Get(max(0, i-4)); !ok || got != "once more" { // which counts as one more
			t.Fatalf("of %d values the fifth last is gone", i)
		}
	}
	forever := recent.Map[int, string]{Most: 10}
	forever.Put(1, "here")
	if _, ok := forever.Get(1); !ok {
		t.Error("a map without a clock forgets")
	}
}

func TestWhatIsTakenIsGone(t *testing.T) {
	m, now := clocked(10)
	m.Put(1, "before")
	m.Put(2, "two")
	*now = now.Add(time.Minute)
	m.Put(1, "now")
	m.Put(3, "three")
	if got, ok := m.Take(1); !ok || got != "now" {
		t.Errorf("took %q, %v", got, ok)
	}
	if got, ok := m.Take(1); ok {
		t.Errorf("took %q again", got)
	}
	m.Put(2, "the newer")
	got := m.TakeAll()
	slices.Sort(got)
	if !slices.Equal(got, []string{"the newer", "three"}) || m.Len() != 0 {
		t.Errorf("took %q of %d left", got, m.Len())
	}
}
