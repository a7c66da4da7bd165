package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryImportIsAnArrowOfTheMap holds the code to the package map in the
// README: a package imports, of ours, what its row allows, and every package
// has a row.
func TestEveryImportIsAnArrowOfTheMap(t *testing.T) {
	allowed := packageMap(t)
	seen := map[string]bool{}
	for _, target := range [][]string{{"GOOS=linux", "GOARCH=amd64"}, {"GOOS=js", "GOARCH=wasm"}} {
		for _, p := range listPackages(t, target) {
			row := rowOf(allowed, p.path)
			if row == "" {
				t.Errorf("%s has no row in the package map", p.path)
				continue
			}
			seen[row] = true
			for _, imported := range p.imports {
				if !slices.ContainsFunc(allowed[row], func(pattern string) bool { return matches(pattern, imported) }) {
					t.Errorf("%s imports %s, which its row does not allow", p.path, imported)
				}
			}
		}
	}
	for row := range allowed {
		if !seen[row] {
			t.Errorf("the package map has a row for %s, which does not exist", row)
		}
	}
}

// TestTheVocabularyCostsNothing: what both sides compile depends on the
// standard library alone.
func TestTheVocabularyCostsNothing(t *testing.T) {
	for _, p := range listPackages(t, nil) {
		if p.path != "shared" && !strings.HasPrefix(p.path, "shared/") {
			continue
		}
		for _, dependency := range p.outside {
			t.Errorf("%s depends on %s", p.path, dependency)
		}
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")

// packageMap reads the rows "| `package` | owns | may import |".
func packageMap(t *testing.T) map[string][]string {
	t.Helper()
	_, section, ok := strings.Cut(readme(t), "| package | owns | may import (of ours) |")
	if !ok {
		t.Fatal("the README has no package map")
	}
	rows := map[string][]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 {
			if len(rows) > 0 {
				break
			}
			continue
		}
		name := quoted.FindStringSubmatch(cells[0])
		if name == nil {
			continue
		}
		rows[name[1]] = []string{}
		for _, arrow := range quoted.FindAllStringSubmatch(cells[2], -1) {
			rows[name[1]] = append(rows[name[1]], arrow[1])
		}
	}
	return rows
}

// rowOf finds a package's row: its own, or the longest "parent/..." above it.
func rowOf(rows map[string][]string, path string) string {
	if _, ok := rows[path]; ok {
		return path
	}
	best := ""
	for row := range rows {
		if matches(row, path) && len(row) > len(best) {
			best = row
		}
	}
	return best
}

// matches reports whether path is pattern, or below it when it ends in "/...".
func matches(pattern, path string) bool {
	parent, tree := strings.CutSuffix(pattern, "/...")
	return path == parent || tree && strings.HasPrefix(path, parent+"/")
}

type goPackage struct {
	path    string
	imports []string // of ours
	outside []string // all dependencies that are neither ours nor the standard library's
}

func listPackages(t *testing.T, env []string) []goPackage {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Deps,Name", "./...")
	command.Dir = ".."
	command.Env = append(os.Environ(), env...)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath    string
			Imports, Deps []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		made := goPackage{path: strings.TrimPrefix(p.ImportPath, "cloakroom/")}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, "cloakroom/"); ok {
				made.imports = append(made.imports, ours)
			}
		}
		for _, dependency := range p.Deps {
			if first, _, _ := strings.Cut(dependency, "/"); strings.Contains(first, ".") {
				made.outside = append(made.outside, dependency)
			}
		}
		list = append(list, made)
	}
}
