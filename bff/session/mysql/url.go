package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// errURL does not repeat the driver's words: they may hold the password.
var errURL = errors.New("not mysql://user:password@host:3306/database, nor the same in the form of the driver")

func parse(c Config) (*mysql.Config, error) {
	text, files, err := cutFiles(c.URL.Reveal())
	if err != nil {
		return nil, err
	}
	config, err := parseText(text)
	if err != nil || config.DBName == "" {
		return nil, errURL
	}
	chosen := config.TLSConfig != ""
	custom, err := files.config()
	switch {
	case err != nil:
		return nil, err
	case custom != nil && chosen && config.TLSConfig != "true":
		return nil, errors.New("tls says something else than ssl-ca, ssl-cert and ssl-key")
	case custom != nil:
		config.TLS = custom // with the host's name, which the driver adds
	case !chosen && !local(config):
		config.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if !local(config) && (config.TLS == nil || config.TLS.InsecureSkipVerify) {
		c.Log.Warn("the connection to mysql is not protected against whoever sits in between")
	}

	// What the statements here take for granted, whatever the URL says.
	config.MultiStatements, config.AllowAllFiles = false, false
	// A server that a failover made read-only is left for another one.
	config.RejectReadOnly = true
	config.Logger = quiet{c.Log}
	// The context of an operation bounds it better; these are for connections
	// that the pool makes on its own account.
	for _, bound := range []*time.Duration{&config.Timeout, &config.ReadTimeout, &config.WriteTimeout} {
		if *bound == 0 {
			*bound = 2 * c.Timeout
		}
	}
	return config, nil
}

func parseText(text string) (*mysql.Config, error) {
	if !strings.HasPrefix(text, "mysql://") && !strings.HasPrefix(text, "mariadb://") {
		if strings.Contains(text, "://") {
			return nil, errURL
		}
		return mysql.ParseDSN(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, errURL
	}
	config, err := mysql.ParseDSN("tcp(" + u.Host + ")/?" + u.RawQuery)
	if err != nil {
		return nil, err
	}
	config.User, config.DBName = u.User.Username(), strings.TrimPrefix(u.Path, "/")
	config.Passwd, _ = u.User.Password()
	return config, nil
}

// files are the PEM files of TLS.
type files struct{ ca, cert, key string }

// cutFiles takes out of text the parameters that the driver does not know: it
// would also trip over the slashes in them.
func cutFiles(text string) (string, files, error) {
	var f files
	i := strings.LastIndexByte(text, '?')
	if i < 0 {
		return text, f, nil
	}
	var rest []string
	for parameter := range strings.SplitSeq(text[i+1:], "&") {
		name, value, _ := strings.Cut(parameter, "=")
		to := map[string]*string{"ssl-ca": &f.ca, "ssl-cert": &f.cert, "ssl-key": &f.key}[name]
		if to == nil {
			rest = append(rest, parameter)
			continue
		}
		path, err := url.PathUnescape(value)
		if err != nil {
			return "", f, fmt.Errorf("%s: not a path", name)
		}
		*to = path
	}
	return text[:i+1] + strings.Join(rest, "&"), f, nil
}

// config is nil when there are no files.
func (f files) config() (*tls.Config, error) {
	if f == (files{}) {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("ssl-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ssl-ca: the file has no certificate")
		}
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("ssl-cert, ssl-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// local reports whether no packet leaves this machine.
func local(c *mysql.Config) bool {
	if c.Net == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(c.Addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// quiet keeps the driver from writing to standard error; what it says, the
// operation's error says better.
type quiet struct{ log *slog.Logger }

func (q quiet) Print(words ...any) { q.log.Debug("mysql driver", "says", fmt.Sprint(words...)) }
