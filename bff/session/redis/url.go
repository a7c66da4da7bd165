package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// target is what a URL says.
type target struct {
	options rueidis.ClientOption
	cluster bool
	prefix  string
	// wait is how many replicas must confirm a write.
	wait int64
}

const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
	defaultPrefix       = "cloakroom:"
	maxWait             = 10
)

var schemes = []string{
	"redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
}

var (
	commonParameters   = []string{"prefix", "wait"}
	tlsParameters      = []string{"ca_file", "cert_file", "key_file", "server_name"}
	sentinelParameters = []string{"sentinel_username", "sentinel_password"}
)

// parseURL reads a URL; see Config.URL for its forms. No error repeats any
// part of it that may be secret.
func parseURL(text string) (target, error) {
	// net/url takes one host only, so the hosts are taken out first.
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !slices.Contains(schemes, scheme) {
		return target{}, fmt.Errorf("the URL must start with one of %s, and ://", strings.Join(schemes, ", "))
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	userinfo, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		userinfo, hosts = authority[:i+1], authority[i+1:]
	}
	u, err := url.Parse("redis://" + userinfo + "host" + tail)
	if err != nil || u.Fragment != "" {
		return target{}, errors.New("the URL is malformed; % @ / ? # in a user or password must be percent-encoded")
	}
	kind, overTLS := strings.CutPrefix(scheme, "rediss")
	if !overTLS {
		kind = strings.TrimPrefix(scheme, "redis")
	}
	return parse(kind, overTLS, hosts, u)
}

func parse(kind string, overTLS bool, hosts string, u *url.URL) (target, error) {
	t := target{cluster: kind == "+cluster", prefix: defaultPrefix}
	var problems []error
	known, port := commonParameters, defaultPort
	if overTLS {
		known = append(slices.Clone(known), tlsParameters...)
	}
	if kind == "+sentinel" {
		known, port = append(slices.Clone(known), sentinelParameters...), defaultSentinelPort
	}
	var err error
	if t.options.InitAddress, err = addresses(hosts, port); err != nil {
		problems = append(problems, err)
	} else if kind == "" && len(t.options.InitAddress) != 1 {
		problems = append(problems, errors.New("one server has one host; several are redis+sentinel:// or redis+cluster://"))
	}
	t.options.Username = u.User.Username()
	t.options.Password, _ = u.User.Password()
	t.options.ForceSingleClient = kind == ""

	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		problems = append(problems, errors.New("the parameters after ? are malformed"))
	}
	for name, values := range query {
		if !slices.Contains(known, name) || len(values) != 1 {
			problems = append(problems, fmt.Errorf("parameter %q is unknown or there twice; known: %s", name, strings.Join(known, ", ")))
		}
	}
	if query.Has("prefix") {
		t.prefix = query.Get("prefix")
	}
	if query.Has("wait") {
		if t.wait, err = strconv.ParseInt(query.Get("wait"), 10, 64); err != nil || t.wait < 0 || t.wait > maxWait {
			problems = append(problems, fmt.Errorf("wait must be a number of replicas, 0 to %d", maxWait))
		}
	}
	problems = append(problems, t.setPath(kind, strings.TrimPrefix(u.Path, "/")))
	if overTLS {
		t.options.TLSConfig, err = tlsConfig(query)
		problems = append(problems, err)
	}
	if kind == "+sentinel" {
		t.options.Sentinel.TLSConfig = t.options.TLSConfig
		t.options.Sentinel.Username = query.Get("sentinel_username")
		t.options.Sentinel.Password = query.Get("sentinel_password")
	}
	return t, errors.Join(problems...)
}

// setPath reads what follows the hosts: of one server the database's number,
// of Sentinels the name of the primary and, if any, the number after it.
func (t *target) setPath(kind, path string) error {
	database := path
	if kind == "+sentinel" {
		t.options.Sentinel.MasterSet, database, _ = strings.Cut(path, "/")
		if t.options.Sentinel.MasterSet == "" {
			return errors.New("the primary's name is missing: redis+sentinel://host1,host2,host3/NAME")
		}
	}
	if database == "" {
		return nil
	}
	number, err := strconv.Atoi(database)
	if err != nil || number < 0 {
		return errors.New("the database must be a number")
	}
	if t.cluster && number != 0 {
		return errors.New("a Cluster has no databases")
	}
	t.options.SelectDB = number
	return nil
}

func addresses(hosts, port string) ([]string, error) {
	var all []string
	for host := range strings.SplitSeq(hosts, ",") {
		name, number, err := net.SplitHostPort(host)
		if err != nil { // no port; an IPv6 address stands in brackets
			name, number = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port
		}
		if p, err := strconv.ParseUint(number, 10, 16); err != nil || p == 0 || name == "" || strings.ContainsAny(name, "[]/@ ") {
			return nil, errors.New("hosts must be host:port, separated by commas")
		}
		all = append(all, net.JoinHostPort(name, number))
	}
	return all, nil
}

func tlsConfig(query url.Values) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: query.Get("server_name")}
	if file := query.Get("ca_file"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca_file: no certificate in it")
		}
	}
	cert, key := query.Get("cert_file"), query.Get("key_file")
	if cert == "" && key == "" {
		return c, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cert_file and key_file: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
