// Package servers runs the real servers that the tests of the stores, and the
// lab, talk to, and the balancers that stand in front: one file per server, each
// on free loopback ports, with its files in a folder of its own, gone when the
// test, or the Stage of a program, ends.
//
// It owns their command lines and their lives: start and wait until it
// answers, kill, freeze, restart on the same port; and it reads what they hold,
// in memory and in files. It never skips: a server that is not installed fails
// the test and says which package has it. It knows no store and needs none of
// their drivers.
package servers
