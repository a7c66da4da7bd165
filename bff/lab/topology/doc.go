// Package topology runs Cloakroom the way people deploy it: servers, a
// balancer, the store, a provider and an API, all on this machine's loopback,
// and has things happen to them.
//
// It owns the processes of one topology and their lives, and what can be done
// to them. It never looks inside what it runs: Cloakroom is a program and a
// config file, stores and balancers are the real ones, and what is known of
// them they say themselves. It measures nothing and judges nothing.
//
//	Start(topology) -> World: browser -> balancer -> cloakroom serve, N times -> store
//	World.Do(event)           something happens, and has happened when Do returns
//	World.Mend                everything that is down, cut or full is put right again
//	World.State               which process is how
//
// Between each server and a store with one address stands a relay, so that one
// server can be cut from it.
package topology
