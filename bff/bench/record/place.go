package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Insert puts table between the marks of that name in text, each of which has a
// line of its own: <!-- name --> and <!-- /name -->.
func Insert(text, name, table string) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, begun := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return "", fmt.Errorf("it has no place for the table: %s and %s, each on a line of its own", strings.TrimSpace(begin), end)
	}
	return before + begin + table + end + after, nil
}

// InsertFile is Insert for a file.
func InsertFile(file, name, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed, err := Insert(string(text), name, table)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(changed), 0o644)
}

// Write makes a file, and the folders above it.
func Write(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
