// Package deploy holds no code but Files: its folders are what people put
// around Cloakroom, and its tests, and the lab, run those very files.
//
//	browser -> TLS -> haproxy | nginx | caddy -> two or more instances -> store
//
//	balancer.env           what the balancers take from their environment
//	haproxy, nginx, caddy  one file each: TLS, health, forwarding headers,
//	                       streams, limits, retries; round robin or sticky
//	systemd                the unit of an instance on a machine
//	kubernetes             instances on a shared store, or that share their memory
//
// The balancers run as they are installed (Caddy is built from its module),
// with real processes of Cloakroom behind them. The manifests are decoded into
// Kubernetes' own types, strictly, by the module in their folder.
package deploy
