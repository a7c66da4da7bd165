// Command table writes the table of rules into README.md.
//
//	go run ./bff/rules/table
//
// It does so only if the catalogue is complete. With -check it writes nothing
// and fails if the table is not what it would write.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"cloakroom/bff/rules"
)

const readme = "README.md"

func main() {
	check := flag.Bool("check", false, "write nothing, fail if the table is out of date")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: table [-check]\n\nWrites the table of rules into the README.md of the working directory.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(check bool) error {
	declared, err := rules.Declared(".")
	if err != nil {
		return err
	}
	if err := rules.Check(rules.All(), declared); err != nil {
		return err
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	fresh, err := rules.Rewrite(string(text), rules.All())
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", readme, err)
	case fresh == string(text):
		return nil
	case check:
		return errors.New(readme + ": the table of rules is out of date; make rules writes it")
	}
	return os.WriteFile(readme, []byte(fresh), 0o644)
}
