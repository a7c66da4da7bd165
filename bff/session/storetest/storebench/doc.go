// Command storebench measures what a session costs in every store, on the real
// server where the store needs one.
//
//	go run ./bff/session/storetest/storebench -only redis,postgres
//
// It owns the method, which is the same for all:
//
//	fill    Create as many sessions as asked, or as many as the time allows
//	bytes   what the store grew by, per session
//	warm    Get every session of the working set once, and compare it
//	get     Get sessions of the working set at random
//	update  Update sessions of the working set in turn, each by one caller
//
// Processor time is that of this process plus that of the server's processes,
// over the whole phase: what a server does in the background counts for the
// phase in which it does it. Ours holds the callers and their clock too, some
// 0.1 µs a call. Callers and servers share the machine.
//
// What is stored are sealed sessions with three tokens (storetest.Crowd); to
// seal and open them is the same for every store and is not measured.
package main
