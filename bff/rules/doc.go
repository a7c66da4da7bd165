// Package rules is the IETF draft "OAuth 2.0 for Browser-Based Applications"
// as a list: every rule of it numbered in the order of its text, whom it binds,
// and which tests prove it.
//
// It owns the catalogue (All), what makes it complete (Check), the tests that
// exist (Declared) and the table in the README (Rewrite). It proves nothing
// itself and is part of no program that is shipped.
//
//	All -> Check    every rule has a test that exists, or says why not
//	    -> Rewrite  the table between the markers of README.md
//
// A rule that is met in part names its tests and, as NotYet, the rest. Whoever
// closes the gap adds the test, deletes the words and runs "make rules".
package rules
