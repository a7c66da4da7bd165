package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"cloakroom/bff/secret"
)

const notMapping = "must be a mapping of keys to values"

// decoder fills a Config from nodes, guided by the tags.
type decoder struct {
	*report
	file   string
	origin map[*yaml.Node]origin
	places map[string]place // of every key that was given
}

func (d *decoder) config(root *yaml.Node, c *Config) {
	d.section(root, reflect.ValueOf(c).Elem(), field{typ: configType}, "")
}

// fail records a problem of a key, at the place where it, or else the section
// around it, was given.
func (d *decoder) fail(key, message string) {
	if d.failed[key] {
		return
	}
	d.add(d.placeOf(key), key, message)
}

// ok reports whether nothing is wrong with any of keys so far.
func (d *decoder) ok(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool { return d.failed[key] })
}

func (d *decoder) placeOf(key string) place {
	for {
		if at, ok := d.places[key]; ok {
			return at
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
}

// at is where a node stands.
func (d *decoder) at(n *yaml.Node) place {
	if from := d.origin[n]; from.source != "" {
		return place{source: from.source}
	}
	return placeOf(d.file, n)
}

// section decodes a mapping. A nil node, and one whose keys are all commented
// out, leaves the defaults.
func (d *decoder) section(n *yaml.Node, v reflect.Value, f field, path string) {
	fields := fieldsOf(v.Type())
	given := map[string]*yaml.Node{}
	switch {
	case n == nil || isNull(n) || isBlank(n):
	case n.Kind == yaml.AliasNode: // inspect has said so
		d.failed[path] = true
		return
	case n.Kind != yaml.MappingNode:
		d.fail(path, notMapping)
		return
	default:
		d.keys(n, fields, path, given)
	}
	for _, child := range fields {
		if child.isSecret() {
			d.secret(given[child.key], given[child.key+fileSuffix], v.Field(child.index), child, join(path, child.key))
			continue
		}
		d.value(given[child.key], v.Field(child.index), child, join(path, child.key))
	}
}

// keys sorts a mapping into given and refuses what the section does not take.
func (d *decoder) keys(n *yaml.Node, fields []field, path string, given map[string]*yaml.Node) {
	known := names(fields)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !isPlainKey(key): // inspect has said so
		case slices.Contains(known, key.Value):
			d.places[join(path, key.Value)] = d.at(key)
			given[key.Value] = value
		case speakable(key.Value):
			d.add(d.at(key), join(path, key.Value), "is not a key"+suggest(key.Value, known, path))
		default:
			d.add(d.at(key), path, "holds a key that is not known")
		}
	}
}

// value decodes one key; n is nil when it was not given.
func (d *decoder) value(n *yaml.Node, v reflect.Value, f field, path string) {
	switch {
	case f.isSection():
		d.section(n, v, f, path)
	case n == nil && f.required && !f.hasDefault:
		d.fail(path, "is required")
	case f.isList():
		d.list(n, v, f, path)
	default:
		d.scalar(n, v, f, path)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, f field, path string) {
	text := f.fallback
	if n != nil {
		var ok bool
		if text, ok = d.text(n, path); !ok {
			return
		}
	}
	if text == "" && f.required {
		d.fail(path, "must not be empty")
		return
	}
	if message := parseScalar(text, v, f); message != "" {
		d.fail(path, message)
	}
}

// text is the value of a scalar as written, whatever YAML would make of it:
// 0x1f is a fine password.
func (d *decoder) text(n *yaml.Node, path string) (string, bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		d.failed[path] = true
	case n.Kind != yaml.ScalarNode:
		d.fail(path, "must be a single value")
	case isNull(n):
		d.fail(path, `has no value; write "" for an empty one`)
	default:
		return n.Value, true
	}
	return "", false
}

// list decodes a sequence; its default is YAML, like one from the environment.
func (d *decoder) list(n *yaml.Node, v reflect.Value, f field, path string) {
	if n == nil {
		n = new(yaml.Node)
		if err := yaml.Unmarshal([]byte(f.fallback), n); err != nil {
			panic("config: default of " + path + ": " + err.Error()) // a fault of the tag
		}
		n = n.Content[0]
	}
	switch {
	case isNull(n) || isBlank(n):
		return
	case n.Kind == yaml.AliasNode:
		d.failed[path] = true
		return
	case n.Kind != yaml.SequenceNode:
		d.fail(path, "must be a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	element := field{typ: v.Type().Elem(), required: true}
	for i, child := range n.Content {
		key := path + "[" + strconv.Itoa(i) + "]"
		if child.Line > 0 || d.origin[child].source != "" {
			d.places[key] = d.at(child)
		}
		d.value(child, v.Index(i), element, key)
	}
}

// secret decodes a key that may be given as a value or as a file. Whichever
// way, the rules speak of the key, at the place of the one that was given.
func (d *decoder) secret(direct, file *yaml.Node, v reflect.Value, f field, path string) {
	filePath := path + fileSuffix
	switch {
	case direct != nil && file != nil:
		d.fail(filePath, "is given beside "+f.key+"; give one of them")
		d.failed[path] = true
	case direct != nil:
		if text, ok := d.text(direct, path); ok {
			d.setSecret(text, v, f, path)
		}
	case file != nil:
		d.places[path] = d.places[filePath]
		d.failed[path] = true // unless what follows succeeds
		name, ok := d.text(file, filePath)
		if !ok {
			return
		}
		content, err := readNamed(name)
		switch {
		case err != nil:
			d.fail(filePath, err.Error())
		case len(content) == 0:
			d.fail(filePath, "names a file that is empty")
		default:
			delete(d.failed, path)
			d.setSecret(trimNewline(string(content)), v, f, path)
		}
	case f.required:
		d.fail(path, "is required, or "+f.key+fileSuffix)
	}
}

func (d *decoder) setSecret(text string, v reflect.Value, f field, path string) {
	if text == "" && f.required {
		d.fail(path, "must not be empty")
		return
	}
	v.Set(reflect.ValueOf(secret.New(text)))
}

// trimNewline drops the one line end that editors add.
func trimNewline(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// isBlank tells the empty text of a variable, which stands for an empty list
// or section.
func isBlank(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && strings.TrimSpace(n.Value) == ""
}
