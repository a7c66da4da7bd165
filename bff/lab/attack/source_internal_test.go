package attack

import (
	"slices"
	"strings"
	"testing"

	"cloakroom/shared/lab"
)

// What a person is shown is what runs: no payload is hidden, none made up.
func TestEveryPayloadIsAnAttacksOwn(t *testing.T) {
	files, err := payloads.ReadDir("payload")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for id := range plans {
		if _, ok := lab.FindAttack(id); !ok {
			t.Errorf("there is no attack %s", id)
		}
		for _, p := range Payloads(id) {
			shown = append(shown, p.Name)
			if !strings.Contains(script(strings.TrimSuffix(p.Name, ".js"), nil), p.Code) {
				t.Errorf("%s: what is shown of %s is not what runs", id, p.Name)
			}
		}
	}
	for _, file := range files {
		if !slices.Contains(slices.Concat(prelude, homeward), file.Name()) && !slices.Contains(shown, file.Name()) {
			t.Errorf("%s is shown for no attack", file.Name())
		}
	}
}
