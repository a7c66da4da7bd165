// Package redis keeps sessions in Redis 6.2 or later, or Valkey: one server, a
// primary watched by Sentinels, or a Cluster.
//
// It owns the record's bytes, its scripts and the index. It never reads from a
// cache or a replica, and starts without a server.
//
//	<prefix>s:<ID>   string   version, expiry, keys, sealed data; expires by itself
//	<prefix>k:<Key>  zset     IDs by expiry; written before the record, so that it
//	                          never lacks one; Find skips what is gone or changed
//
// Rights (Sentinel: and +role; Cluster: and +cluster|slots +cluster|shards):
//
//	ACL SETUSER cloakroom on >PASSWORD resetchannels resetkeys ~cloakroom:* -@all
//	  +hello +auth +ping +select +get +mget +set +getrange +unlink +zadd +zrem +zrange
//	  +zremrangebyscore +pexpireat +time +eval +evalsha +wait +client|tracking
//
// Replication is asynchronous: a failover forgets what the new primary had not
// received, and brings back what was deleted meanwhile. With wait=N in the URL
// writes succeed only when N replicas have them (WAIT), else fail. N = all: no
// failover loses what succeeded. Fewer: unless one without it is elected. A
// restart brings back what is on disk: use appendonly with appendfsync always, or
// no persistence; snapshots revive who signed out since. A primary without
// persistence must not restart before its failover: it comes back empty, and
// empties its replicas. maxmemory-policy must be noeviction: eviction ends
// sessions and may drop an index. Watch hears nothing from a new primary, a few
// seconds, until the client has found it. While a shard of a Cluster fails over
// the others go on with cluster-require-full-coverage no; else none does, for a
// second.
package redis
