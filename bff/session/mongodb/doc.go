// Package mongodb keeps sessions in MongoDB 4.4 or later: a replica set, a
// sharded cluster or one server.
//
// It owns the collection sessions: _id, version (drawn at random), expires (a TTL
// index, for which reads do not wait), keys (a multikey index, never out of step
// with the record) and data. It makes the indexes on first use or finds them
// made. It never reads what it keeps, and never from a secondary.
//
// Update is one updateOne that names _id, version and a later expiry, atomic in
// the server; only when nothing matched a second query asks why. Writes are
// acknowledged when most members have them in their journals, and reads see
// nothing else: a failover loses and brings back nothing. A primary that is cut
// off may answer for some 10 s from before; readConcernLevel=linearizable in the
// URL prevents that, at the price of a round trip to most members for each read.
//
// Least privileges on the collection: find, insert, update, remove and, until
// the indexes are there, listIndexes and createIndex.
//
// The tests run against FerretDB 1.24, which can be had as source. It ignores
// the concerns, has no TTL index, so that Run sweeps, and needs a proxy to make an
// update atomic: what is said of failovers rests on MongoDB's documentation.
package mongodb
