package guard

import (
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"cloakroom/shared/problem"
)

// maxQuery is the longest query in bytes. Authorization codes of some
// providers take two KiB.
const maxQuery = 8 << 10

// Params returns the parameters of r's query that are allowed, those that were
// sent. One sent twice is refused: whoever looks at the other one is fooled
// (RFC 6749 §3.1). Parameters of other names are ignored, as §3.1 wants.
func Params(r *http.Request, allowed ...string) (map[string]string, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, refuse(problem.ParameterInvalid, "the query is too long")
	}
	// Refuses malformed escapes and ";", which some read as "&".
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(problem.ParameterInvalid, "the query is malformed")
	}
	params := make(map[string]string, len(allowed))
	for name, sent := range values {
		if !slices.Contains(allowed, name) {
			continue
		}
		if len(sent) > 1 {
			return nil, refuse(problem.ParameterDuplicated, "")
		}
		if !isPlain(sent[0]) {
			return nil, refuse(problem.ParameterInvalid, "a parameter has a control character")
		}
		params[name] = sent[0]
	}
	return params, nil
}

// isPlain reports whether s is UTF-8 without control characters.
func isPlain(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}
