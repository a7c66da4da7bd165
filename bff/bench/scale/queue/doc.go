// Package queue simulates queues by events: what arrives, waits for one of the
// servers of a station, is served, and goes on. Time is a number of seconds that
// the simulation counts itself; the same seed gives the same run.
//
// It owns the clock and the waiting lines. It knows nothing of sessions. Its
// stations are held to the formulas of M/M/1 and M/M/c by its tests.
package queue
