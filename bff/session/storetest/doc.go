// Package storetest is what a session store must do, as tests: every backend
// runs the same suite, and a failing case prints the rule it broke and why the
// rule exists.
//
// A backend's whole test is
//
//	func TestStore(t *testing.T) {
//		backend := storetest.Backend{Open: func(t *testing.T) session.Store { ... }}
//		storetest.Run(t, backend)
//		storetest.RunConcurrent(t, backend)
//	}
//
// It owns the contract of session.Store and session.Finder, and the sessions
// that stores are measured with (Crowd, Bench; storebench compares them all). It
// knows no backend and never looks behind the interface.
package storetest
