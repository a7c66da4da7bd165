// Package report judges what the lab saw and writes it down.
//
// It owns the one rule by which evidence becomes a verdict, and the forms of a
// report. It knows no strategy and no attack: whatever is not in the evidence
// does not count, and no verdict is known before.
//
//	evidence -> Judge -> lab.Cell -> lab.Report -> JSON | Table
package report
