package nats

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"

	"cloakroom/bff/session"
)

const defaultBucket = "cloakroom"

// target is what a URL says.
type target struct {
	servers string // separated by commas, without user and password
	options []nats.Option
	bucket  string
	domain  string
	memory  bool // storage of a new bucket
	open    bool // readable to whoever sits in between
}

// stream is the one behind the bucket.
func (t target) stream() string { return "KV_" + t.bucket }

// errURL never repeats the URL: it may hold a password.
var errURL = errors.New("url: not nats://user:password@host:4222,host:4222?parameter=value, nor tls://")

func parseURL(text string) (target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "nats" && scheme != "tls" {
		return target{}, errURL
	}
	rest, query, _ := strings.Cut(rest, "?")
	rest = strings.TrimSuffix(rest, "/")
	t := target{bucket: defaultBucket}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		u, err := url.Parse("nats://" + rest[:at] + "@host")
		if err != nil || u.User == nil {
			return target{}, errURL
		}
		if password, ok := u.User.Password(); ok {
			t.options = append(t.options, nats.UserInfo(u.User.Username(), password))
		} else {
			t.options = append(t.options, nats.Token(u.User.Username()))
		}
		rest = rest[at+1:]
	}
	var servers []string
	for host := range strings.SplitSeq(rest, ",") {
		u, err := url.Parse(scheme + "://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			return target{}, errURL
		}
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), "4222")
		}
		servers = append(servers, u.String())
		t.open = t.open || scheme == "nats" && !loopback(u.Hostname())
	}
	t.servers = strings.Join(servers, ",")
	return t, t.parameters(query, scheme == "tls")
}

var bucketName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func (t *target) parameters(query string, secure bool) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errURL
	}
	for name, all := range values {
		value := all[0]
		switch {
		case len(all) > 1 || value == "":
			return errors.New("url: a parameter is empty or given twice")
		case name == "bucket" && bucketName.MatchString(value):
			t.bucket = value
		case name == "domain" && bucketName.MatchString(value):
			t.domain = value
		case name == "storage" && (value == "file" || value == "memory"):
			t.memory = value == "memory"
		case name == "creds_file":
			t.options = append(t.options, nats.UserCredentials(value))
		case name == "ca_file":
			t.options, secure = append(t.options, nats.RootCAs(value)), true
		case name == "cert_file" && values.Get("key_file") != "":
			t.options, secure = append(t.options, nats.ClientCert(value, values.Get("key_file"))), true
		case name == "key_file" && values.Get("cert_file") != "":
		default:
			return errors.New("url: a parameter is unknown, or its value is")
		}
	}
	if secure {
		t.options = append(t.options, nats.Secure())
		t.open = false
	}
	return nil
}

// Subjects of the bucket. IDs and keys are in base64url, which has no
// character that means anything to NATS.

func (s *Store) recordSubject(id session.ID) string {
	return s.prefix + "s." + encoding.EncodeToString(id[:])
}

func (s *Store) indexSubject(key session.Key, id session.ID) string {
	return s.keySubject(key) + encoding.EncodeToString(id[:])
}

func (s *Store) keySubject(key session.Key) string {
	return s.prefix + "i." + encoding.EncodeToString(key[:]) + "."
}

// idOf reads the last token of a subject.
func idOf(subject string) (id session.ID, ok bool) {
	text := subject[strings.LastIndexByte(subject, '.')+1:]
	if len(text) != encoding.EncodedLen(len(id)) {
		return id, false
	}
	_, err := encoding.Decode(id[:], []byte(text))
	return id, err == nil
}
