package attack

import (
	"embed"
	"encoding/json"
	"slices"
	"strings"
)

//go:embed payload/*.js
var payloads embed.FS

// prelude comes before every payload: how it reports, and reads.
var prelude = []string{"report.js", "reading.js", "taps.js"}

// homeward comes after one, where the victim has to come back by themselves.
var homeward = []string{"homeward.js"}

// script makes an expression of a payload: its parameters as constants, what
// sends reports, the payload itself, and what comes then, in a function that
// nobody awaits.
func script(name string, parameters map[string]string, then ...string) string {
	var text strings.Builder
	text.WriteString("void (async () => {\n")
	for key, value := range parameters {
		literal, _ := json.Marshal(value) // escapes "<" too, so it can stand in a page
		text.WriteString("const " + key + " = " + string(literal) + ";\n")
	}
	for _, file := range slices.Concat(prelude, []string{name + ".js"}, then) {
		content, err := payloads.ReadFile("payload/" + file)
		if err != nil {
			panic("attack: no payload " + file) // the names are in this package
		}
		text.Write(content)
	}
	text.WriteString("})()")
	return text.String()
}
