package config

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds every file this package reads, in bytes.
const maxFile = 1 << 20

// Load reads the file at path, puts the CLOAKROOM_* variables of environ (as
// os.Environ gives them) over it, and checks the whole. An empty path means
// that the environment says everything. The error joins every *Problem, in
// reading order; there is no Config with one.
func Load(path string, environ []string) (*Config, error) {
	if path == "" {
		return Parse("", nil, environ)
	}
	text, err := readConfig(path)
	if err != nil {
		r := newReport()
		r.add(place{source: path}, "", err.Error())
		refuseUnknown(r, settings(environ))
		return nil, r.err()
	}
	return Parse(path, text, environ)
}

// Parse is Load with the text of the file in hand; name is what problems call
// it. An empty name means that there is no file.
func Parse(name string, text []byte, environ []string) (*Config, error) {
	r, set := newReport(), settings(environ)
	refuseUnknown(r, set)
	root := &yaml.Node{Kind: yaml.MappingNode}
	if name != "" {
		root = parseFile(r, name, text)
	}
	if root == nil {
		return nil, r.err()
	}
	o := &overlay{report: r, file: name, root: root, origin: map[*yaml.Node]origin{}}
	o.apply(set)

	c := new(Config)
	d := &decoder{report: r, file: name, origin: o.origin, places: map[string]place{"": {source: name}}}
	d.config(root, c)
	d.check(c)
	if err := r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// parseFile returns the top-level mapping, nil when there is none.
func parseFile(r *report, name string, text []byte) *yaml.Node {
	if len(text) > maxFile {
		r.add(place{source: name}, "", "is larger than 1 MiB")
		return nil
	}
	root := parseYAML(r, name, text)
	switch {
	case root == nil:
		return nil
	case isNull(root):
		r.add(place{source: name}, "", "is empty")
		return nil
	case root.Kind != yaml.MappingNode:
		r.add(placeOf(name, root), "", notMapping)
		return nil
	}
	inspect(r, name, root, "", 0)
	return root
}

// readConfig reads at most one byte more than may be there, for Parse to
// notice. The file may be a pipe.
func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, reason(err)
	}
	return text, nil
}

// readNamed reads a file that a key names: a regular one, for a pipe or a
// device could block the start or never end.
func readNamed(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, reason(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > maxFile:
		return nil, errors.New("is larger than 1 MiB")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, reason(err)
	}
	return text, nil
}

// reason drops the path from a file error: it may be a secret given to the
// wrong key.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return errors.New("cannot be read: " + err.Error())
}
