// Package file keeps sessions in one file on a local disk (bbolt): for one
// instance, whose sessions survive its restarts and its crashes.
//
// It owns the file, mode 0600, and a lock on it, so that a second process gets
// an error and not a shared file. What a call acknowledged is on disk: each
// write waits for fsync, and those under way at once share one. It never runs
// on several instances, and never shrinks: room of ended sessions is used
// again. A network file system has neither the lock nor the fsync it needs.
//
//	records  ID            -> version, expiry, keys, sealed data
//	index    Key, ID       -> nothing
//	expiry   time, ID      -> nothing; what Run sweeps out is at its front
//	meta     "format"      -> 1
//
// The process needs to write the file and the folder it is in. A damaged file
// is an error of every call that meets the damage; delete the file to start
// anew, signed out.
package file
