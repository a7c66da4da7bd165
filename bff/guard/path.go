package guard

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"cloakroom/shared/problem"
)

// maxPath is the longest path in bytes, as sent and as we would send it on.
const maxPath = 4 << 10

// CanonicalPath returns the one reading of u's path, or PathAmbiguous when two
// programs on the way could read it differently: then the one that decides and
// the one that acts may not mean the same resource (BBA-17).
//
// What passes begins with "/", has no empty, "." or ".." segment, and encodes
// to a form that decodes to itself.
func CanonicalPath(u *url.URL) (string, error) {
	switch {
	case u == nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "":
		// RFC 9112 §3.2.2 has servers accept the absolute form; it names a
		// second host, no browser sends it to an origin server, so we do not.
		return "", refuse(problem.PathAmbiguous, "the request target must be a path")
	case !strings.HasPrefix(u.Path, "/"):
		return "", refuse(problem.PathAmbiguous, "the path must begin with a slash")
	}
	sent := u.RawPath
	if sent == "" {
		sent = u.EscapedPath() // RawPath is empty when this is what was sent (net/url)
	} else if decoded, err := url.PathUnescape(sent); err != nil || decoded != u.Path {
		return "", refuse(problem.PathAmbiguous, "the path has two readings")
	}
	if canonical := (&url.URL{Path: u.Path}); len(sent) > maxPath || len(canonical.EscapedPath()) > maxPath {
		return "", refuse(problem.PathAmbiguous, "the path is too long")
	}
	if err := checkEncoding(sent); err != nil {
		return "", err
	}
	if err := checkText(u.Path); err != nil {
		return "", err
	}
	return u.Path, checkSegments(u.Path)
}

// checkEncoding refuses what decoders disagree on: encoded separators and
// dots, and an encoded percent sign, which becomes something else when decoded
// twice. ";" begins parameters that Java servers cut out of a path before they
// resolve dots ("/..;/") and others keep, encoded or not.
func checkEncoding(sent string) error {
	for i := 0; i < len(sent); i++ {
		switch c := sent[i]; c {
		case '\\', ';', '#', '?':
			return refuse(problem.PathAmbiguous, "the path has a character that must not stand there")
		case '%':
			if i+2 >= len(sent) || !isHex(sent[i+1]) || !isHex(sent[i+2]) {
				return refuse(problem.PathAmbiguous, "the path has a malformed escape")
			}
			switch unhex(sent[i+1])<<4 | unhex(sent[i+2]) {
			case '/', '\\', '.', '%', ';':
				return refuse(problem.PathAmbiguous, "the path has an encoded separator, dot or percent sign")
			}
			i += 2
		}
	}
	return nil
}

// checkText refuses control characters (NUL ends a string in C) and what is
// not UTF-8, where overlong forms hide separators (RFC 3629 §10).
func checkText(path string) error {
	for i := 0; i < len(path); {
		c := path[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f || c == '\\' {
				return refuse(problem.PathAmbiguous, "the path has a control character or backslash")
			}
			i++
			continue
		}
		char, size := utf8.DecodeRuneInString(path[i:])
		if (char == utf8.RuneError && size == 1) || unicode.IsControl(char) {
			return refuse(problem.PathAmbiguous, "the path is not plain UTF-8")
		}
		i += size
	}
	return nil
}

// checkSegments refuses what path cleaning would change (RFC 3986 §5.2.4).
func checkSegments(path string) error {
	rest := path[1:]
	for {
		segment, more, found := strings.Cut(rest, "/")
		if segment == "." || segment == ".." || (segment == "" && found) {
			return refuse(problem.PathAmbiguous, "the path has an empty or dot segment")
		}
		if !found {
			return nil
		}
		rest = more
	}
}

// Paths is the outermost check of every request: only one with a canonical
// path reaches next, and r.URL.Path is the only reading next can find.
func (g *Guard) Paths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, err := CanonicalPath(r.URL)
		if err == nil && r.Method == http.MethodConnect {
			err = refuse(problem.PathAmbiguous, "this is not a forward proxy")
		}
		if err != nil {
			g.respond.Error(w, r, err)
			return
		}
		if r.URL.RawPath != "" {
			u := *r.URL
			u.Path, u.RawPath = path, ""
			clone := *r
			clone.URL = &u
			r = &clone
		}
		next.ServeHTTP(w, r)
	})
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// unhex returns the value of a hex digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
