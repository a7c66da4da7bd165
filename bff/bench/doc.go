// Command bench measures what Cloakroom costs beside what a user would pick
// instead, and beside proxies that keep no session at all.
//
//	make bench                            # everything, some twelve minutes
//	make bench ONLY=memory,redis ROUNDS=3 # rows of the table
//	make bench ONLY=million-memory,client # parts
//
// It owns the method. All fronts run at once, each on the same one core; this
// process, which is the load generator, the upstream and the provider, and the
// Redis servers have another core. In each round every front gets its turn, the
// bare httputil.ReverseProxy before and after each of them; a front's figures are
// divided by the mean of those two. 64 connections, each with a session of its
// own, made by a real sign-in, ask for the same KiB of JSON as fast as it comes.
// Then one connection alone, for the latency. Processor time is that of the
// front's processes, children included, without its Redis, which has a figure of
// its own.
//
// Every answer is checked: its status, its body, and by its body that the
// upstream saw the access token of that very session (upstream.go). One that is
// wrong fails the run. Cloakroom and its peers write an access log to a file;
// Cloakroom counts its metrics; the bare proxies do neither.
//
//	main -> world (provider, upstream) -> fronts, each on a stage of its own
//	     -> rounds -> report -> table, bin/bench/bench.txt, budgets
//	     -> parts: start, client, millions, rotation, storms
//
// Nothing here is a test: no figure fails a run. Budgets (budgets.json) are
// compared and told.
package main
