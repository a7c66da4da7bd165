package mongodb

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

const defaultDatabase = "cloakroom"

// target is what a URL says.
type target struct {
	url      string
	database string
	reads    *readconcern.ReadConcern
	open     bool // readable to whoever sits in between
}

// errURL never repeats the URL, nor the driver's words: they may hold a
// password.
var errURL = errors.New("url: not mongodb://user:password@host:27017,host:27017/database?parameter=value, nor mongodb+srv://")

func parseURL(text string) (target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "mongodb" && scheme != "mongodb+srv" {
		return target{}, errURL
	}
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	hosts, database, _ := strings.Cut(rest, "/")
	values, err := url.ParseQuery(query)
	if err != nil || strings.ContainsAny(database, `/\. "$`) {
		return target{}, errURL
	}
	t := target{url: text, database: database, reads: readconcern.Majority()}
	if database == "" {
		t.database = defaultDatabase
	}
	if err := t.concerns(values); err != nil {
		return target{}, err
	}
	lower := strings.ToLower(query)
	secure := scheme == "mongodb+srv" || strings.Contains(lower, "tls=true") || strings.Contains(lower, "ssl=true") || strings.Contains(lower, "tlscafile=")
	t.open = !local(hosts) && (!secure || strings.Contains(lower, "insecure=true"))
	if scheme == "mongodb+srv" {
		return t, nil // to read more of it takes the DNS
	}
	if err := options.Client().ApplyURI(text).Validate(); err != nil {
		return target{}, errURL
	}
	return t, nil
}

// concerns refuses what would lose or bring back sessions in a failover.
func (t *target) concerns(values url.Values) error {
	for name, all := range values {
		value := strings.ToLower(all[0])
		switch strings.ToLower(name) {
		case "w":
			if value != "majority" {
				return errors.New("url: w must be majority")
			}
		case "journal":
			if value != "true" {
				return errors.New("url: journal must be true")
			}
		case "readpreference":
			if value != "primary" {
				return errors.New("url: readPreference must be primary")
			}
		case "readconcernlevel":
			switch value {
			case "linearizable":
				t.reads = readconcern.Linearizable()
			case "majority":
			default:
				return errors.New("url: readConcernLevel must be majority or linearizable")
			}
		}
	}
	return nil
}

// local reports whether no packet leaves this machine.
func local(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip := net.ParseIP(host)
		if host != "localhost" && !strings.HasSuffix(host, ".sock") && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
