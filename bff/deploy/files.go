package deploy

import "embed"

// Files are the balancers' files, for whoever wants to run those very ones.
//
//go:embed balancer.env haproxy/haproxy.cfg nginx/cloakroom.conf.template caddy/Caddyfile
var Files embed.FS
