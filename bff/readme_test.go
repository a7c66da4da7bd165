package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/config"
	"cloakroom/bff/rules"
)

// TestTheKeysInTheReadmeAreTheKeys: the table is a copy of what the config
// says of itself.
func TestTheKeysInTheReadmeAreTheKeys(t *testing.T) {
	_, rest, _ := strings.Cut(readme(t), "<!-- keys -->\n")
	table, _, ok := strings.Cut(rest, "<!-- /keys -->")
	if !ok {
		t.Fatal("the README has no table of keys")
	}
	if diff := cmp.Diff(config.Reference(), table); diff != "" {
		t.Errorf("config.Reference and the README (-want +got):\n%s", diff)
	}
}

// TestEveryTestTheReadmeNamesExists: a claim whose proof was renamed or
// removed is a claim no more.
func TestEveryTestTheReadmeNamesExists(t *testing.T) {
	declared, err := rules.Declared("..")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(readme(t), -1)
	if len(named) < 10 {
		t.Fatalf("the README names %d tests only", len(named))
	}
	for _, match := range named {
		if !declared[match[1]] {
			t.Errorf("the README names %s, which does not exist", match[1])
		}
	}
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
