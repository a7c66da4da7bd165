package sealed

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"cloakroom/bff/session"
)

// A browser keeps 4,096 bytes of a cookie's name and value (RFC 6265bis §5.6),
// and many cookies of a site. What is longer is split: the first cookie has the
// plain name and begins with the number of them all, the others are numbered.
const (
	maxCookie = 4096
	maxParts  = 8
)

// split cuts text into the values of cookies. budget bounds the bytes of all
// names and values together, as they come with every request.
func split(name, text string, budget int) ([]string, error) {
	room := maxCookie - len(name) - len("-7") - len("8.")
	n := (len(text) + room - 1) / room
	if total := len(text) + n*(len(name)+len("-7=; ")) + len("8."); n > maxParts || total > budget {
		return nil, &TooLargeError{Bytes: total, Budget: budget}
	}
	values := make([]string, 0, n)
	rest := strconv.Itoa(n) + "." + text
	for len(rest) > room+len("8.") {
		values = append(values, rest[:room+len("8.")])
		rest = rest[room+len("8."):]
	}
	return append(values, rest), nil
}

// partName is the name of the i-th cookie.
func partName(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(i)
}

// pieces are the values of the cookies of one split, without the number.
type pieces struct {
	parts [maxParts]string
	n     int
}

// find looks for the cookies of r. Cookies that are not exactly those of one
// split are session.ErrNotFound, and so are two of one name: somebody else set
// one.
func find(name string, r *http.Request) (p pieces, err error) {
	var found [maxParts]bool
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, _ := strings.Cut(strings.TrimLeft(pair, " \t"), "=")
			i, ok := partIndex(name, key)
			if !ok {
				continue
			}
			if found[i] {
				return pieces{}, session.ErrNotFound
			}
			p.parts[i], found[i] = value, true
		}
	}
	count, first, ok := strings.Cut(p.parts[0], ".")
	if !ok || len(count) != 1 || count[0] < '1' || count[0] > '0'+maxParts {
		return pieces{}, session.ErrNotFound
	}
	p.parts[0], p.n = first, int(count[0]-'0')
	for _, there := range found[:p.n] {
		if !there {
			return pieces{}, session.ErrNotFound
		}
	}
	return p, nil // further ones are left over from a longer set; Give clears them
}

// text puts them together.
func (p *pieces) text() string {
	if p.n == 1 {
		return p.parts[0]
	}
	return strings.Join(p.parts[:p.n], "")
}

// hash is that of the text, which it does not make.
func (p *pieces) hash() [sha256.Size]byte {
	if p.n == 1 {
		return sha256.Sum256(unsafe.Slice(unsafe.StringData(p.parts[0]), len(p.parts[0]))) // which is read alone
	}
	room := hashed.Get().(*[]byte)
	defer hashed.Put(room)
	*room = (*room)[:0]
	for _, part := range p.parts[:p.n] {
		*room = append(*room, part...)
	}
	return sha256.Sum256(*room)
}

var hashed = sync.Pool{New: func() any { room := make([]byte, 0, 3*maxCookie); return &room }}

// partIndex is the reverse of partName.
func partIndex(name, key string) (int, bool) {
	rest, ok := strings.CutPrefix(key, name)
	switch {
	case !ok:
		return 0, false
	case rest == "":
		return 0, true
	case len(rest) == 2 && rest[0] == '-' && rest[1] >= '1' && rest[1] < '0'+maxParts:
		return int(rest[1] - '0'), true
	}
	return 0, false
}

// TooLargeError says that a session does not fit the cookies it may take.
type TooLargeError struct{ Bytes, Budget int }

func (e *TooLargeError) Error() string {
	return "sealed: the session takes " + strconv.Itoa(e.Bytes) + " bytes of cookies, and may take " + strconv.Itoa(e.Budget)
}

// Is makes it session.ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == session.ErrTooLarge }
