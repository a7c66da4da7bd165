// Package memcached keeps sessions in one or several memcached servers: as fast
// as it gets, and forgetful. Those who cannot sign in again at any moment need
// another store.
//
// It owns the record's bytes, which server has which, and the index. It never
// writes one record to two servers, and starts without any. memcached knows no
// users: let only this program reach it.
//
//	<prefix>s:<ID>   version, expiry, keys, sealed data
//	<prefix>k:<Key>  the IDs under the key; changed by compare-and-swap
//
// A server that is down fails the calls for its share of the sessions, and
// comes back empty: those users sign in again. No other server stands in for
// it, or a session deleted there would be back later. Taking a server off the
// list moves its share only (rendezvous hashing); restart it before it returns
// to the list, and give every instance the same list.
//
// When memory is short the sessions used longest ago go (LRU); stats "evictions"
// must stay 0. The index is best effort: an entry is written before its record,
// and again by its updates should it be missing; yet if the server with an
// index entry restarts or evicts it, Find misses an idle session until its user
// is back. The order in time is by our clocks: keep them within seconds.
package memcached
