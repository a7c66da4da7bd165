package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddr returns the address of r's client: the peer's, unless the peer is
// a trusted proxy; then the rightmost address in X-Forwarded-For that is not.
// What stands left of that one, the client may have written itself. The result
// is not valid when the peer has no IP address.
func ClientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(peer.Addr())
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			if !contains(trusted, client) {
				return client
			}
			var entry string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, entry = rest[:comma], rest[comma+1:]
			} else {
				entry, more = rest, false
			}
			before, ok := parseEntry(entry)
			if !ok {
				return client // nobody further left is known
			}
			client = before
		}
	}
	return client
}

// clientText is ClientAddr as text: a part of RemoteAddr, where that begins so.
func clientText(r *http.Request, trusted []netip.Prefix) string {
	client := ClientAddr(r, trusted)
	if !client.IsValid() {
		return ""
	}
	var room [64]byte
	text := client.AppendTo(room[:0])
	if n := len(text); n <= len(r.RemoteAddr) && r.RemoteAddr[:n] == string(text) {
		return r.RemoteAddr[:n]
	}
	return string(text)
}

// parseEntry reads an address, with or without a port or brackets.
func parseEntry(entry string) (netip.Addr, bool) {
	entry = strings.Trim(entry, " \t")
	if with, err := netip.ParseAddrPort(entry); err == nil {
		return plain(with.Addr()), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	return plain(addr), err == nil
}

// plain drops what makes one address look like two.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
