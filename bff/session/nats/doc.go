// Package nats keeps sessions in a JetStream bucket: of a NATS cluster that
// runs elsewhere, or of servers within the instances themselves, which thus
// share their memory without anything else to run.
//
// It owns the embedded server, the bucket, and the news of what changed. It never
// reads what it keeps, and reads from the leader only: another replica may not
// know yet who signed out.
//
//	$KV.<bucket>.s.<ID>        expiry, keys, sealed data; its sequence is the version
//	$KV.<bucket>.i.<Key>.<ID>  empty; written before the record and lives longer
//
// An update expects the sequence it read; a deleted record has another or none.
// Embedded: what was acknowledged is on most of the Replicas. In memory it
// outlives the loss of one of three; restart them one by one, each when Ping of
// the one before succeeds. The first start waits for all Peers, and so does one
// after most lost their memory; else most suffice. Peers are fixed and keep their
// names: a lost one keeps its vote. A dead leader is replaced after 4 to 9 s; one
// that is cut off may answer Get from what it last knew for up to 20 s. A full
// bucket fails Create and Update with an error of its own; Delete still works.
//
// Outside: NATS 2.11 or later. A user needs no more than to publish on
// $KV.<bucket>.>, $JS.API.STREAM.{INFO,CREATE,PURGE,MSG.GET}.KV_<bucket> and, for
// Watch, $JS.API.CONSUMER.{CREATE,MSG.NEXT}.KV_<bucket>.>, and to subscribe to
// _INBOX.>; without CREATE somebody else makes the bucket.
package nats
