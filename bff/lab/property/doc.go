// Package property finds out what each strategy of the lab survives, and what
// it costs.
//
// It owns how each property of shared/lab is measured. Nothing is known
// before: whether a victim is still signed in, their page is asked; how long a
// copy is good, the API is; what a server used, the kernel says. It goes by
// what a strategy has (a server, a store, a client with a secret), never by
// which one it is.
//
//	every strategy: sign in -> wire, reload, new-tab, cpu, latency, memory
//	the browser is restarted, once for all
//	every strategy: browser-restart, other-instance, server-restart, store-down, logout, largest
//
// A property that could not be measured says so in its own place and keeps
// none of the others from it.
package property
