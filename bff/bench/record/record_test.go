package record_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloakroom/bff/bench/record"
)

func TestTheTableGoesBetweenItsMarks(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- here -->\n", "<!-- /here -->"
	got, err := record.Insert("before\n"+begin+"old\n"+end+"\nafter\n", "here", "new\n")
	if want := "before\n" + begin + "new\n" + end + "\nafter\n"; err != nil || got != want {
		t.Errorf("Insert = %q, %v", got, err)
	}
	for _, text := range []string{"", begin, end, end + begin, "<!-- there -->\n<!-- /there -->"} {
		if _, err := record.Insert(text, "here", "new\n"); err == nil {
			t.Errorf("a text without a place takes the table: %q", text)
		}
	}
}

func TestAFileWithoutThePlaceStaysAsItIs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "made", "text")
	if err := record.Write(file, []byte("old\n")); err != nil {
		t.Fatal(err)
	}
	if err := record.InsertFile(file, "here", "new\n"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("InsertFile = %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "old\n" {
		t.Errorf("the file is %q: %v", text, err)
	}
}

func TestTheReadmeHasAPlaceForEveryTable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bench", "bench-stores", "scale"} {
		if _, err := record.Insert(string(readme), name, "new\n"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFiguresAreAsPreciseAsTheyAre(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 7: "7", 999.6: "1,000", 12345: "12,300", 1234567: "1,230,000", -1234: "-1,230"} {
		if got := record.Count(f); got != want {
			t.Errorf("Count(%v) = %s, want %s", f, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", 0.0123: "0.012", 0.123: "0.12", 1.23: "1.2", 12.3: "12", 1234: "1,230", -1.23: "-1.2"} {
		if got := record.Short(f); got != want {
			t.Errorf("Short(%v) = %s, want %s", f, got, want)
		}
	}
}

func TestTheMachineIsKnown(t *testing.T) {
	t.Parallel()
	m := record.Machine()
	if m.CPU == "unknown" || m.System == "unknown" || m.Load == "" || m.Kernel == "unknown" || m.Cores == 0 {
		t.Errorf("the machine is %+v", m)
	}
}
