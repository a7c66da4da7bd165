package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// envPrefix marks the variables that are configuration.
const envPrefix = "CLOAKROOM_"

// variable is one environment variable of the schema: CLOAKROOM_ and the
// dotted path in capitals.
type variable struct {
	name string
	path []string // keys from the top
	tree bool     // the text is YAML; else it is the value as it stands
}

func variableName(path []string) string {
	return envPrefix + strings.ToUpper(strings.Join(path, "_"))
}

// variables lists every variable, a section before its keys, so that the more
// exact one is applied later and wins.
func variables(section reflect.Type, path []string) []variable {
	var all []variable
	for _, f := range fieldsOf(section) {
		keyPath := append(slices.Clone(path), f.key)
		all = append(all, variable{variableName(keyPath), keyPath, f.isSection() || f.isList()})
		switch {
		case f.isSection():
			all = append(all, variables(f.typ, keyPath)...)
		case f.isSecret():
			filePath := append(slices.Clone(path), f.key+fileSuffix)
			all = append(all, variable{variableName(filePath), filePath, false})
		}
	}
	return all
}

// settings splits environ into the variables with our prefix. As in os/exec,
// the last of two with one name counts.
func settings(environ []string) map[string]string {
	set := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			set[name] = value
		}
	}
	return set
}

// refuseUnknown records every variable that is none of the schema.
func refuseUnknown(r *report, set map[string]string) {
	known := []string{}
	for _, v := range variables(configType, nil) {
		known = append(known, v.name)
	}
	for name := range set {
		if slices.Contains(known, name) {
			continue
		}
		message := "is not a variable of the configuration"
		if guess, ok := nearest(name, known); ok {
			message += "; did you mean " + guess + "?"
		}
		r.add(place{source: name}, "", message)
	}
}

// overlay puts the environment over the file's nodes.
type overlay struct {
	report *report
	file   string
	root   *yaml.Node
	origin map[*yaml.Node]origin // of nodes that are not of the file
}

// origin of a node: the variable, and its layer. The file is layer 0; a
// variable lies as high as its path is long.
type origin struct {
	source string
	layer  int
}

func (o *overlay) apply(set map[string]string) {
	for _, v := range variables(configType, nil) {
		text, ok := set[v.name]
		if !ok {
			continue
		}
		value := o.parse(v, text)
		if value == nil {
			continue
		}
		o.mark(value, origin{v.name, len(v.path)})
		o.set(v, value)
	}
}

func (o *overlay) parse(v variable, text string) *yaml.Node {
	if !v.tree || strings.TrimSpace(text) == "" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: text}
	}
	n := parseYAML(o.report, v.name, []byte(text))
	if n != nil {
		inspect(o.report, v.name, n, strings.Join(v.path, "."), len(v.path))
	}
	return n
}

func (o *overlay) mark(n *yaml.Node, from origin) {
	o.origin[n] = from
	for _, child := range n.Content {
		o.mark(child, from)
	}
}

// set walks to the section that holds v, making the sections that the file
// leaves out, and puts value there.
func (o *overlay) set(v variable, value *yaml.Node) {
	section, fields := o.root, fieldsOf(configType)
	for _, key := range v.path[:len(v.path)-1] {
		f := fields[slices.IndexFunc(fields, func(f field) bool { return f.key == key })]
		child := lookup(section, key)
		if child == nil || child.Kind != yaml.MappingNode {
			if child != nil && !isNull(child) && !isBlank(child) && child.Kind != yaml.AliasNode {
				o.report.add(placeOf(o.file, child), key, notMapping)
			}
			child = &yaml.Node{Kind: yaml.MappingNode}
			o.replace(section, fields, key, child)
		}
		section, fields = child, fieldsOf(f.typ)
	}
	key := v.path[len(v.path)-1]
	old := lookup(section, key)
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
	if i >= 0 && fields[i].isSection() && old != nil && old.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode {
		for k := 0; k+1 < len(value.Content); k += 2 {
			o.replace(old, fieldsOf(fields[i].typ), value.Content[k].Value, value.Content[k+1])
		}
		return
	}
	o.replace(section, fields, key, value)
}

// replace sets one key. A secret given here displaces the other way of giving
// it in a lower layer; in the same layer both stay, and the decoder objects.
func (o *overlay) replace(section *yaml.Node, fields []field, key string, value *yaml.Node) {
	keyNode := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}
	o.origin[keyNode] = o.origin[value]
	other := counterpart(fields, key)
	kept := section.Content[:0]
	for i := 0; i+1 < len(section.Content); i += 2 {
		k, v := section.Content[i], section.Content[i+1]
		displaced := k.Value == key || other != "" && k.Value == other && o.origin[v].layer < o.origin[value].layer
		if !displaced {
			kept = append(kept, k, v)
		}
	}
	section.Content = append(kept, keyNode, value)
}

// lookup finds the value of a key, nil when it is not there.
func lookup(section *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(section.Content); i += 2 {
		if section.Content[i].Value == key {
			return section.Content[i+1]
		}
	}
	return nil
}
