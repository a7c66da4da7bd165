package config

import (
	"reflect"
	"strings"
)

// Reference is the table of all keys in Markdown: key, default, meaning, in
// the order of the file.
func Reference() string {
	var b strings.Builder
	b.WriteString("| Key | Default | Meaning |\n|---|---|---|\n")
	writeRows(&b, configType, "")
	return b.String()
}

func writeRows(b *strings.Builder, section reflect.Type, path string) {
	for _, f := range fieldsOf(section) {
		key := join(path, f.key)
		switch {
		case f.isSection():
			writeRows(b, f.typ, key)
			continue
		case f.isSecret():
			key += "`, `" + f.key + fileSuffix
		}
		b.WriteString("| `" + key + "` | " + defaultCell(f) + " | " + meaningCell(f) + " |\n")
		if f.isTable() {
			writeRows(b, f.typ.Elem(), key+"[]")
		}
	}
}

func defaultCell(f field) string {
	switch {
	case f.hasDefault && f.fallback != "":
		return "`" + f.fallback + "`"
	case f.required:
		return "required"
	}
	return "empty"
}

func meaningCell(f field) string {
	if len(f.oneof) < 2 {
		return f.doc
	}
	return f.doc + " One of `" + strings.Join(f.oneof, "`, `") + "`."
}
