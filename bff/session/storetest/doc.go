// Package storetest is what a session store must do, as tests: every backend
// runs the same suites, and a failing case prints the rule it broke and why the
// rule exists.
//
//	Run            the contract of session.Store and session.Finder
//	RunConcurrent  what of it only shows when many write at once
//	RunService     the server is away, frozen, killed, and back
//	RunTables      tables and connections of a database
//	RunSweep       what has expired goes
//	RunDump        what a store left somewhere tells nothing
//	RunChaos       a thousand sessions under load while the server is hurt
//
// A backend's least is
//
//	func TestStore(t *testing.T) {
//		backend := storetest.Backend{Open: func(t *testing.T) session.Store { ... }}
//		storetest.Run(t, backend)
//		storetest.RunConcurrent(t, backend)
//	}
//
// It also owns the sessions that stores are measured with (Crowd, Bench;
// storebench compares them all). An Instance is a store in a process of its own,
// to be killed with it. The package knows no backend and never looks behind the
// interface; what it asks of a server is told to it as functions.
package storetest
