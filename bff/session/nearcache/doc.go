// Package nearcache keeps a local copy of the sessions an instance is using in
// front of a store that many instances share, so that a sticky balancer pays
// off: most reads need no round trip.
//
// It owns the copy, its bound in bytes and in age, and what makes it forget.
// Writes always go to the store first. It never prolongs a session and never
// answers from the copy what its own instance has changed or ended.
//
// What another instance has changed or ended is seen
//
//   - at once (a push's latency) while the store's Watch is connected; PostgreSQL
//     tells of endings only,
//   - after MaxAge at the latest in any case.
//
// Whoever else wants the news gets it by Watch, after the copy is gone.
//
// So MaxAge is how long a session signed out elsewhere may go on answering
// here when the push is lost. It cannot do harm for longer: a write made with a
// stale copy is refused by the store's compare-and-swap.
package nearcache
