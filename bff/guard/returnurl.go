package guard

import (
	"net/url"
	"strings"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// maxReturnURL bounds what a login transaction has to remember, in bytes.
const maxReturnURL = 1 << 10

// ReturnURL turns the address a caller wants to come back to into one that
// every browser reads as a path of ours, or fails with ReturnURLInvalid: an
// open redirector would lend our name to any page (RFC 9700 §4.11). The empty
// address is "/". A query and a fragment stay; the BFF's own endpoints are no
// place to come back to.
func ReturnURL(raw string) (string, error) {
	if raw == "" {
		return "/", nil
	}
	if !isPlain(raw) || strings.Contains(raw, `\`) {
		// Browsers drop tabs and line breaks and read "\" as "/" (URL Standard §4.4).
		return "", refuse(problem.ReturnURLInvalid, "it has a character that must not stand there")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || strings.HasPrefix(raw, "//") {
		return "", refuse(problem.ReturnURLInvalid, "it must be a path")
	}
	path, err := CanonicalPath(&url.URL{Path: u.Path, RawPath: u.RawPath})
	if err != nil {
		return "", refuse(problem.ReturnURLInvalid, "its path can be read in two ways")
	}
	if lower := strings.ToLower(path) + "/"; strings.HasPrefix(lower, shared.BFFPrefix) {
		return "", refuse(problem.ReturnURLInvalid, "it must not be an endpoint of the BFF")
	}
	out := (&url.URL{Path: path}).EscapedPath()
	if u.RawQuery != "" {
		out += "?" + encodeQuery(u.RawQuery)
	}
	if u.Fragment != "" {
		out += "#" + u.EscapedFragment()
	}
	if len(out) > maxReturnURL {
		return "", refuse(problem.ReturnURLInvalid, "it is too long")
	}
	return out, nil
}

// encodeQuery writes a query with the characters RFC 3986 §3.4 allows, and
// leaves what it means alone.
func encodeQuery(raw string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]),
			'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9',
			strings.IndexByte("-._~!$&'()*+,;=:@/?", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
