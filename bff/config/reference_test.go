package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cloakroom/bff/config"
	"cloakroom/bff/secret"
)

func TestTheReferenceHasARowForEveryKey(t *testing.T) {
	table := config.Reference()
	rows := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == 3 {
			rows[strings.Trim(cells[0], "| `")] = strings.TrimSuffix(cells[2], " |") != ""
		} else if !strings.HasPrefix(line, "|---") {
			t.Errorf("a row without three cells: %s", line)
		}
	}
	var walk func(section reflect.Type, path string)
	walk = func(section reflect.Type, path string) {
		for sf := range section.Fields() {
			key, typ := path+sf.Tag.Get("key"), sf.Type
			switch {
			case typ == reflect.TypeFor[secret.String]():
				key += "`, `" + sf.Tag.Get("key") + "_file"
			case typ.Kind() == reflect.Struct:
				walk(typ, key+".")
				continue
			case typ.Kind() == reflect.Slice && typ.Elem().PkgPath() == reflect.TypeFor[config.Config]().PkgPath():
				walk(typ.Elem(), key+"[].")
			}
			if !rows[key] {
				t.Errorf("%s has no row with a meaning", key)
			}
		}
	}
	walk(reflect.TypeFor[config.Config](), "")
}

func ExampleParse() {
	_, err := config.Parse("cloakroom.yaml", []byte(`
public_url: https://app.example.com
provider:
  issuer: https://idp.example.com
  client_id: app
session:
  idle_timout: 30m
`), []string{"CLOAKROOM_LOG_LEVEL=loud"})
	fmt.Println(err)
	// Output:
	// cloakroom.yaml:3: provider.client_secret: is required, or client_secret_file
	// cloakroom.yaml:7: session.idle_timout: is not a key; did you mean idle_timeout?
	// CLOAKROOM_LOG_LEVEL: log.level: must be one of: debug, info, warn, error
}
