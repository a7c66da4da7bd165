package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads one document. It returns nil, with the problem recorded,
// when there is none to walk.
func parseYAML(r *report, source string, text []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.add(place{source: source}, "", "is empty")
		return nil
	case err != nil:
		line, message := syntaxProblem(err)
		r.add(placeOf(source, &yaml.Node{Line: line}), "", message)
		return nil
	}
	var next yaml.Node
	switch err := dec.Decode(&next); {
	case err == nil:
		r.add(placeOf(source, &next), "", "holds several YAML documents; one is allowed")
	case !errors.Is(err, io.EOF):
		line, message := syntaxProblem(err)
		r.add(placeOf(source, &yaml.Node{Line: line}), "", message)
	}
	return doc.Content[0]
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxProblem rewords the library's error. Two of its messages quote the
// document, which may quote a secret; they lose that part.
func syntaxProblem(err error) (line int, message string) {
	text := err.Error()
	if m := syntaxError.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	switch {
	case strings.HasPrefix(text, "unknown anchor"):
		text = "unknown alias; a value that starts with * needs quotes"
	case strings.ContainsAny(text, "`\"\n"):
		text = "a value does not fit its tag"
	}
	return line, "is not valid YAML at this line or just below: " + text
}

// maxDepth bounds the nesting; the deepest key of the schema lies at 5.
const maxDepth = 8

// inspect records what YAML can say and a configuration must not: aliases and
// anchors (a few lines can stand for gigabytes), tags, keys that are not plain
// text, keys given twice, and nesting without end.
func inspect(r *report, source string, n *yaml.Node, path string, depth int) {
	at := placeOf(source, n)
	switch {
	case depth > maxDepth:
		r.add(at, path, "is nested too deeply")
		return
	case n.Kind == yaml.AliasNode:
		r.add(at, path, "is an alias, which is not supported; write the value out, or quote it if it is text that starts with *")
		return
	case n.Anchor != "":
		r.add(at, path, "has an anchor, which is not supported; quote the value if it is text that starts with &")
	case n.Style&yaml.TaggedStyle != 0:
		r.add(at, path, "has a tag, which is not supported; quote the value if it is text that starts with !")
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, child := range n.Content {
			inspect(r, source, child, path+"["+strconv.Itoa(i)+"]", depth+1)
		}
	case yaml.MappingNode:
		inspectMapping(r, source, n, path, depth)
	}
}

func inspectMapping(r *report, source string, n *yaml.Node, path string, depth int) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !isPlainKey(key) {
			r.add(placeOf(source, key), path, "has a key that is not plain text")
			continue
		}
		child := path
		if speakable(key.Value) {
			child = join(path, key.Value)
		}
		if seen[key.Value] {
			r.add(placeOf(source, key), child, "is given twice")
		}
		seen[key.Value] = true
		inspect(r, source, value, child, depth+1)
	}
}

func isPlainKey(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Anchor == "" && n.Style&yaml.TaggedStyle == 0
}

// placeOf is where n stands. A line within an environment variable would help
// nobody.
func placeOf(source string, n *yaml.Node) place {
	if strings.HasPrefix(source, envPrefix) {
		return place{source: source}
	}
	return place{source, n.Line, n.Column}
}

// isNull tells a key without a value.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}
