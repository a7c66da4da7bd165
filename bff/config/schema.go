package config

import (
	"reflect"
	"slices"
	"strings"

	"cloakroom/bff/secret"
)

// fileSuffix makes the name of the key that gives a secret by file.
const fileSuffix = "_file"

var (
	configType = reflect.TypeFor[Config]()
	secretType = reflect.TypeFor[secret.String]()
)

// field is what the tags of one struct field say.
type field struct {
	index    int
	typ      reflect.Type
	key      string
	fallback string // the default; hasDefault tells "" from none
	doc      string
	oneof    []string

	hasDefault, required bool
}

func (f field) isSecret() bool  { return f.typ == secretType }
func (f field) isSection() bool { return isSection(f.typ) }
func (f field) isList() bool    { return f.typ.Kind() == reflect.Slice }

// isTable tells a list of sections from a list of scalars.
func (f field) isTable() bool { return f.isList() && isSection(f.typ.Elem()) }

// isSection tells a struct of keys from a struct that is one value.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("key") != ""
}

// fieldsOf reads the keys of a section, in order.
func fieldsOf(section reflect.Type) []field {
	fields := make([]field, 0, section.NumField())
	for i := range section.NumField() {
		sf := section.Field(i)
		fallback, hasDefault := sf.Tag.Lookup("default")
		fields = append(fields, field{
			index: i, typ: sf.Type, key: sf.Tag.Get("key"), doc: sf.Tag.Get("doc"),
			fallback: fallback, hasDefault: hasDefault, required: sf.Tag.Get("required") == "true",
			oneof: strings.Fields(sf.Tag.Get("oneof")),
		})
	}
	return fields
}

// names lists the keys a section takes, the _file variants included.
func names(fields []field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.key)
		if f.isSecret() {
			all = append(all, f.key+fileSuffix)
		}
	}
	return all
}

// counterpart is the other key that gives the same secret, "" when name is not
// of a secret.
func counterpart(fields []field, name string) string {
	for _, f := range fields {
		switch {
		case f.isSecret() && name == f.key:
			return f.key + fileSuffix
		case f.isSecret() && name == f.key+fileSuffix:
			return f.key
		}
	}
	return ""
}

// join appends a key to a dotted path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// leaves lists the dotted path of every key that holds a value, tables with []
// for their rows.
func leaves(section reflect.Type, path string) []string {
	var all []string
	for _, f := range fieldsOf(section) {
		key := join(path, f.key)
		switch {
		case f.isSection():
			all = append(all, leaves(f.typ, key)...)
		case f.isTable():
			all = append(append(all, key), leaves(f.typ.Elem(), key+"[]")...)
		case f.isSecret():
			all = append(all, key, key+fileSuffix)
		default:
			all = append(all, key)
		}
	}
	return all
}

// suggest completes the message for an unknown name: the nearest of the known
// ones, or the same key where it does belong.
func suggest(name string, near []string, path string) string {
	if guess, ok := nearest(name, near); ok {
		return "; did you mean " + guess + "?"
	}
	for _, leaf := range leaves(configType, "") {
		if parent, last, ok := cutLast(leaf); ok && last == name && parent != path {
			return "; did you mean " + leaf + "?"
		}
	}
	return ""
}

func cutLast(path string) (parent, last string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// nearest finds the candidate with the fewest edits, if they are few.
func nearest(name string, candidates []string) (string, bool) {
	best, edits := "", max(2, len(name)/4)+1
	for _, c := range candidates {
		if d := distance(name, c); d < edits {
			best, edits = c, d
		}
	}
	return best, best != ""
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// speakable reports whether an unknown key may be repeated in an error: it has
// the shape of a key. Anything else may be a secret that slipped to the left
// of a colon.
func speakable(key string) bool {
	if key == "" || len(key) > 40 {
		return false
	}
	return !slices.ContainsFunc([]byte(key), func(c byte) bool {
		return (c < 'a' || c > 'z') && c != '_' && c != '-'
	})
}
