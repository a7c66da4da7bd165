// Package record is what measurements have in common that are written down: the
// machine they are of, numbers as precise as they are, and the place in a text
// where their table goes.
package record
