// Package mysql keeps sessions in MariaDB 10.3 or MySQL 8 or newer, shared by
// every instance and as durable as the server commits.
//
// It owns the tables cloakroom_sessions and cloakroom_schema, which it makes on
// first use or finds made by Schema, and the sweeping of what has expired. It
// never reads what it keeps, and no operation takes more than one round trip,
// save the creation over an expired leftover.
//
//	Create  INSERT
//	Update  one UPDATE that compares, writes and answers what it met
//	Find    an index over each of the four columns of keys
//	Run     one instance at a time deletes what has expired, in batches
//
// Keys are columns of the record: one statement then keeps record and index
// together, and InnoDB leaves alone every index whose column does not change,
// which is all but one in nearly every update.
//
// Least privileges: SELECT, INSERT, UPDATE, DELETE on cloakroom_sessions and
// SELECT, UPDATE on cloakroom_schema, once somebody else ran Schema. In a
// Galera cluster all instances should use one node, or set wsrep_sync_wait=1
// in the URL: a node may be a moment behind another.
package mysql
