// Package machine runs what the lab's world needs as processes of their own:
// Cloakroom, as anybody would run it, and the session stores.
//
// It owns their lives on this machine: files in folders for temporary files,
// free ports of loopback, start, kill, and start again on the same ports; and
// what the kernel and the stores tell about them. All of it ends with Close, or
// with this process. It never looks inside what is judged: Cloakroom is a
// program and a config file.
//
//	Machine -> Cloakroom(config) -> cloakroom serve  (strategy.Server)
//	        -> Store("redis")    -> redis-server     (strategy.Store)
package machine
