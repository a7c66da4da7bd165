// Package sqlite keeps sessions in one SQLite file: durable, for one machine,
// with nothing to run beside the server. Several processes may share the file.
//
// It owns the file, which it makes on first use (mode 0600, in a folder that
// exists), its tables, and the sweeping of what has expired. It never reads
// what it keeps, and the file must not lie on a network file system, whose
// locks SQLite cannot trust.
//
//	writes  one connection, each an own transaction, synced to the disk (FULL)
//	reads   a pool of connections that a writer does not hold up (WAL)
//	Run     one process at a time deletes what has expired, in batches
//
// What was acknowledged survives kill -9 and the loss of power: a sign-out that
// came back with the power would be a sign-out undone, so every write waits for
// the disk. That wait is what bounds the writes a second.
package sqlite
