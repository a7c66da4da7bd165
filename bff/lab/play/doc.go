// Package play plays events on a topology under load, and says what the load
// saw.
//
// It owns the crowd, whose members sign in and call again and again, the judge
// of every answer, and what is measured. It never looks inside the servers: what
// it counts is in their answers, in their metrics, and in what a store says it
// holds.
//
//	Gather -> Crowd: everybody signs in
//	Crowd.Costs      what a session takes, how fast a sign-out is seen everywhere
//	Crowd.Play       load - event - harm - mended - load, and who is still signed in
//	Crowd.Chaos      the same with kills at random, by a seed
//
// An answer is served, refused (401), declared (503) or failed. Three kinds of
// it are wrong whatever happens: one for somebody else, one for who has signed
// out, and a 5xx that is no declared 503.
package play
