// Command pack makes the compressed forms of a built app.wasm, next to it, and
// notes in a small file which build they belong to. What is up to date is left
// alone.
//
//	go run ./bff/spa/pack static/web/app.wasm
//
// Brotli at its best level is worth its time for what ships; -fast is for the
// loop of writing code.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	fast := flag.Bool("fast", false, "compress for speed, not for size")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: pack [-fast] FILE\n\nWrites FILE.br, FILE.gz and FILE.json unless they are up to date.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := pack(os.Stdout, flag.Arg(0), levelOf(*fast)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
