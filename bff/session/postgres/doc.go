// Package postgres keeps sessions in PostgreSQL 12 or newer, shared by every
// instance and as durable as the server commits.
//
// It owns the tables cloakroom_sessions and cloakroom_schema, which it makes on
// first use or finds made by Schema, the sweeping of what has expired, and the
// notices by which instances tell each other of a deletion. It never reads what
// it keeps. An operation is one round trip, after one to ask a connection that
// was idle for a second whether it still is one.
//
//	Create  INSERT .. ON CONFLICT, over an expired leftover only
//	Update  UPDATE .. WHERE version, never an upsert
//	Find    a GIN index over the array of keys
//	Run     one instance at a time deletes what has expired, in batches
//
// The array was measured against a table of keys and against a column a key:
// to create a session it writes 10 % less WAL than the table and 3 % more than
// the columns; an update differs by 1 %, since hardly any changes an index: the
// one for sweeping goes by a coarse time, so that updates can be heap-only.
//
// Least privileges: SELECT, INSERT, UPDATE, DELETE on cloakroom_sessions and
// SELECT, UPDATE on cloakroom_schema, once somebody else ran Schema.
package postgres
