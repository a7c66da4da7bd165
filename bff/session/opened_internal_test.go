package session

import (
	"crypto/sha256"
	"testing"
	"time"
)

func TestPlainTokensLieAboutOnlyWhileTheyAreInUse(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ring := &[]ringKey{}
	o := newOpened(func() time.Time { return now })
	used, left := ID{1}, ID{2}
	for range 2 {
		o.put(used, open{mark: Mark{Version: 7}, ring: ring, session: Session{Subject: "alice"}})
		o.put(left, open{mark: Mark{Version: 7}, ring: ring, session: Session{Subject: "bob"}})
	}
	for range 10 {
		now = now.Add(20 * time.Second)
		if found := o.get(used, ring); found.mark.Version != 7 || found.session.Subject != "alice" {
			t.Fatalf("what is in use is forgotten: version %d", found.mark.Version)
		}
	}
	if o.latest.Len() > 2 {
		t.Errorf("%d are kept", o.latest.Len())
	}
	if o.get(left, ring).mark.Version != 0 {
		t.Error("what nobody asked for is still there")
	}
	now = now.Add(2 * openedTurn)
	if o.get(used, ring).mark.Version != 0 {
		t.Error("it outlives a pause")
	}
}

func TestWhatIsAskedForOnceIsNotRemembered(t *testing.T) {
	ring := &[]ringKey{}
	o := newOpened(time.Now)
	for i := range 5 * openedMost {
		o.put(ID(sha256.Sum256([]byte{byte(i), byte(i >> 8)})), open{mark: Mark{Version: 1}, ring: ring})
	}
	if n := o.latest.Len(); n > 0 {
		t.Errorf("%d sessions are remembered", n)
	}
	again := ID{1}
	for range 2 {
		if o.get(again, ring).mark.Version != 0 {
			t.Error("a session is remembered that was opened once")
		}
		o.put(again, open{mark: Mark{Version: 1}, ring: ring})
	}
	if o.get(again, ring).mark.Version != 1 {
		t.Error("a session is not remembered that was opened twice")
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	ring := &[]ringKey{}
	o := newOpened(time.Now)
	for i := range 5 * openedMost {
		for range 2 {
			o.put(ID{byte(i), byte(i >> 8), byte(i >> 16), 0, byte(i), byte(i >> 8), byte(i >> 16)}, open{mark: Mark{Version: 1}, ring: ring})
		}
		if n := o.latest.Len(); n > 2*openedMost {
			t.Fatalf("%d sessions are remembered", n)
		}
	}
}
