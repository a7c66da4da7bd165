package file_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/session"
)

func TestAFileThatIsNoneIsAnErrorAndIsLeftAlone(t *testing.T) {
	for name, content := range map[string]string{
		"text":         strings.Repeat("these are notes of mine\n", 1000),
		"a short file": "x",
		"zeros":        string(make([]byte, 64<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			name := path(t)
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, name)
			for range 2 { // also not "in use" the second time
				_, err := s.Create(t.Context(), record(time.Hour))
				if err == nil || !strings.Contains(err.Error(), "damaged") {
					t.Errorf("Create = %v, want an error that says so", err)
				}
			}
			if got, err := os.ReadFile(name); err != nil || string(got) != content {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// Whatever is overwritten or cut off: an answer or an error, never a panic.
func TestADamagedFile(t *testing.T) {
	name := path(t)
	s := open(t, name)
	records := make([]session.Record, 40)
	for i := range records {
		records[i] = record(time.Hour)
		records[i].Version = create(t, s, records[i])
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	failed := 0
	for i := range 150 {
		damaged := append([]byte(nil), sound...)
		switch i % 3 {
		case 0: // a page of noise
			page := random.IntN(len(damaged)/4096) * 4096
			for j := range 4096 {
				damaged[page+j] = byte(random.Uint32())
			}
		case 1: // a few bytes in the head of a page
			page := random.IntN(len(damaged)/4096) * 4096
			for range 4 {
				damaged[page+random.IntN(64)] ^= byte(1 + random.IntN(255))
			}
		case 2: // cut off
			damaged = damaged[:random.IntN(len(damaged))]
		}
		failed += exercise(t, damaged, records)
	}
	if failed == 0 {
		t.Error("no damage was ever met: this test damages the wrong places")
	}
}

// exercise uses a store on a file with content, and returns how many calls
// failed.
func exercise(t *testing.T, content []byte, records []session.Record) (failed int) {
	t.Helper()
	name := path(t)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, name)
	check := func(err error) {
		if err != nil && !errors.Is(err, session.ErrNotFound) && !errors.Is(err, session.ErrConflict) {
			failed++
		}
	}
	for i, r := range records {
		_, err := s.Get(t.Context(), r.ID)
		check(err)
		_, err = s.Find(t.Context(), r.Keys[0])
		check(err)
		if i%8 == 0 {
			_, err = s.Update(t.Context(), r)
			check(err)
			check(s.Delete(t.Context(), r.ID))
			_, err = s.Create(t.Context(), record(time.Hour))
			check(err)
		}
	}
	_ = s.Close()
	return failed
}

// A file that is cut off while it is open takes memory away from under bbolt.
func TestAFileThatIsCutOffWhileOpen(t *testing.T) {
	name := path(t)
	s := open(t, name)
	var records []session.Record
	for range 200 {
		r := record(time.Hour)
		create(t, s, r)
		records = append(records, r)
	}
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if _, err := s.Get(t.Context(), r.ID); err == nil || errors.Is(err, session.ErrNotFound) {
			t.Fatalf("Get = %v, want a failure of the store", err)
		}
	}
}
