package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"cloakroom/static"
)

func TestPackWritesWhatUnpacksToTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.wasm")
	content := []byte(strings.Repeat("\x00asm and more of it ", 300))
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := pack(io.Discard, file, levelFast); err != nil {
		t.Fatal(err)
	}
	br, gz := read(t, file+".br"), read(t, file+".gz")
	if got, err := io.ReadAll(brotli.NewReader(bytes.NewReader(br))); err != nil || !bytes.Equal(got, content) {
		t.Errorf("brotli: %v", err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, content) {
		t.Errorf("gzip: %v", err)
	}
	var build static.Build
	if err := json.Unmarshal(read(t, file+".json"), &build); err != nil {
		t.Fatal(err)
	}
	if build.Bytes != int64(len(content)) || build.Brotli != int64(len(br)) || build.Gzip != int64(len(gz)) || len(build.SHA256) != 64 {
		t.Errorf("note: %+v", build)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".pack-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestPackLeavesAloneWhatIsUpToDate(t *testing.T) {
	for _, row := range []struct {
		name     string
		change   func(t *testing.T, file string)
		level    int
		upToDate bool
	}{
		{"nothing changed", func(*testing.T, string) {}, levelFast, true},
		{"a better level is wanted", func(*testing.T, string) {}, levelBest, false},
		{"the program changed", func(t *testing.T, file string) { write1(t, file, "other") }, levelFast, false},
		{"a form is missing", func(t *testing.T, file string) {
			if err := os.Remove(file + ".gz"); err != nil {
				t.Fatal(err)
			}
		}, levelFast, false},
		{"a form was cut short", func(t *testing.T, file string) { write1(t, file+".br", "x") }, levelFast, false},
		{"the note is broken", func(t *testing.T, file string) { write1(t, file+".json", "{") }, levelFast, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "app.wasm")
			write1(t, file, strings.Repeat("wasm", 100))
			if err := pack(io.Discard, file, levelFast); err != nil {
				t.Fatal(err)
			}
			row.change(t, file)
			var said strings.Builder
			if err := pack(&said, file, row.level); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(said.String(), "up to date"); got != row.upToDate {
				t.Errorf("up to date: %v, want %v\n%s", got, row.upToDate, said.String())
			}
		})
	}
	if err := pack(io.Discard, filepath.Join(t.TempDir(), "gone.wasm"), levelFast); err == nil {
		t.Error("a program that is not there was packed")
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write1(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
