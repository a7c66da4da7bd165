// Package lab is the vocabulary of the lab: which strategies there are of
// keeping a session or a token, which attacks are made on them, which
// topologies Cloakroom is run in, what happens to those, and the shape of what
// came out.
//
// It owns names and shapes. It knows no outcome: that is in a report, and a
// report is made by running the attacks, or by playing the events.
package lab
