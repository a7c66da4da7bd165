package config_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/config"
	"cloakroom/bff/secret"
)

// samples holds, for every key, a value that is neither its default nor what
// minimal says.
func samples(t *testing.T) map[string]string {
	return map[string]string{
		"public_url":                       "http://app.localhost:8080",
		"listen":                           "127.0.0.1:1",
		"admin_listen":                     "127.0.0.1:2",
		"drain_delay":                      "5s",
		"insecure_http":                    "true",
		"tls":                              "{}",
		"tls.cert_file":                    "cert.pem",
		"tls.key_file":                     "key.pem",
		"trusted_proxies":                  "[10.0.0.0/8]",
		"provider":                         "{client_id: other}",
		"provider.issuer":                  "https://other.example.com",
		"provider.client_id":               "it's: #not YAML",
		"provider.client_secret":           "it's: #not YAML",
		"provider.client_auth":             "client_secret_post",
		"provider.client_key_id":           "it's: #not YAML",
		"provider.resource":                "['https://api.example.com']",
		"provider.par":                     "require",
		"provider.dpop":                    "true",
		"provider.userinfo":                "true",
		"provider.id_token_alg":            "ES256",
		"provider.timeout":                 "3s",
		"provider.scopes":                  "[openid]",
		"session":                          "{idle_timeout: 1m}",
		"session.store":                    "redis",
		"session.url":                      "redis://it's: #not YAML",
		"session.near_cache":               "{size: 2MiB}",
		"session.cluster":                  "{listen: '127.0.0.1:1'}",
		"session.cluster.listen":           "127.0.0.1:1",
		"session.cluster.peers":            "['127.0.0.1:1', '127.0.0.1:2']",
		"session.cluster.secret":           "it's: #not YAML",
		"session.cluster.name":             "a",
		"session.cluster.store_dir":        "sessions",
		"session.cluster.cert_file":        "cert.pem",
		"session.cluster.key_file":         "key.pem",
		"session.cluster.ca_file":          "ca.pem",
		"session.near_cache.size":          "2MiB",
		"session.near_cache.max_age":       "5s",
		"session.max_bytes":                "1MiB",
		"session.cookie_format":            "nested",
		"session.cookie_max_bytes":         "8KiB",
		"session.denylist":                 "{store: redis, url: 'redis://h'}",
		"session.denylist.store":           "redis",
		"session.denylist.url":             "redis://h",
		"session.insecure_readable_tokens": "true",
		"session.idle_timeout":             "1m",
		"session.absolute_timeout":         "1h",
		"session.keys":                     "[{id: k, secret: " + key32 + "}]",
		"api":                              "[{path: /v2/, upstream: 'https://v2/'}]",
		"spa":                              "{dev_server: 'http://localhost:1'}",
		"spa.dir":                          t.TempDir(),
		"spa.dev_server":                   "http://localhost:5173",
		"log":                              "{level: error}",
		"log.level":                        "debug",
		"log.format":                       "text",
	}
}

// envKeys walks the struct for the dotted path of every key above the rows of
// tables, and the index that leads to it.
func envKeys(section reflect.Type, path string, index []int) map[string][]int {
	keys := map[string][]int{}
	for sf := range section.Fields() {
		key := sf.Tag.Get("key")
		if path != "" {
			key = path + "." + key
		}
		at := append(append([]int{}, index...), sf.Index...)
		keys[key] = at
		if sf.Type.Kind() == reflect.Struct && sf.Type != reflect.TypeFor[secret.String]() {
			for k, v := range envKeys(sf.Type, key, at) {
				keys[k] = v
			}
		}
	}
	return keys
}

func variable(key string) string {
	return "CLOAKROOM_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func TestEveryKeyCanBeSetByTheEnvironment(t *testing.T) {
	values, seen := samples(t), map[string]string{}
	certificate, privateKey := certificatePair(t)
	values["tls.cert_file"], values["tls.key_file"] = certificate, privateKey
	values["provider.client_key"] = readFile(t, privateKey)
	before := reflect.ValueOf(parse(t, minimal)).Elem()
	for key, index := range envKeys(reflect.TypeFor[config.Config](), "", nil) {
		t.Run(key, func(t *testing.T) {
			name := variable(key)
			if other, taken := seen[name]; taken {
				t.Fatalf("%s is also the variable of %s", name, other)
			}
			seen[name] = key
			value, ok := values[key]
			if !ok {
				t.Fatal("has no sample; add one")
			}
			environ := []string{name + "=" + value}
			switch key { // neither goes without the other
			case "tls.cert_file":
				environ = append(environ, "CLOAKROOM_TLS_KEY_FILE="+privateKey)
			case "tls.key_file":
				environ = append(environ, "CLOAKROOM_TLS_CERT_FILE="+certificate)
			case "provider.client_key", "provider.client_key_id":
				environ = append(environ, "CLOAKROOM_PROVIDER_CLIENT_AUTH=private_key_jwt", "CLOAKROOM_PROVIDER_CLIENT_SECRET=")
				if key != "provider.client_key" {
					environ = append(environ, "CLOAKROOM_PROVIDER_CLIENT_KEY="+values["provider.client_key"])
				}
			case "session.cluster", "session.cluster.listen":
				environ = append(environ, "CLOAKROOM_SESSION_STORE=nats")
			case "session.denylist", "session.denylist.store", "session.denylist.url":
				environ = append(environ, "CLOAKROOM_SESSION_STORE=cookie")
				if key == "session.denylist.store" {
					environ = append(environ, "CLOAKROOM_SESSION_DENYLIST_URL=redis://h")
				} else if key == "session.denylist.url" {
					environ = append(environ, "CLOAKROOM_SESSION_DENYLIST_STORE=redis")
				}
			case "session.store":
				environ = append(environ, "CLOAKROOM_SESSION_URL=redis://localhost")
			case "session.url", "session.near_cache", "session.near_cache.size", "session.near_cache.max_age":
				environ = append(environ, "CLOAKROOM_SESSION_STORE=redis")
				if key != "session.url" {
					environ = append(environ, "CLOAKROOM_SESSION_URL=redis://localhost")
				}
			}
			after := reflect.ValueOf(parse(t, minimal, environ...)).Elem()
			same := cmp.Equal(before.FieldByIndex(index).Interface(), after.FieldByIndex(index).Interface(), revealed, prefixes)
			if onlyOne := key == "tls"; same && !onlyOne {
				t.Errorf("%s changes nothing", name)
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheEnvironmentIsTakenAsItStands(t *testing.T) {
	const text = "it's: #not YAML *&!"
	c := parse(t, minimal, "CLOAKROOM_PROVIDER_CLIENT_SECRET="+text)
	if got := c.Provider.ClientSecret.Reveal(); got != text {
		t.Errorf("got %q", got)
	}
}

func TestTheEnvironmentAloneIsEnough(t *testing.T) {
	c, err := config.Load("", []string{
		"CLOAKROOM_PUBLIC_URL=https://app.example.com",
		"CLOAKROOM_PROVIDER={issuer: https://idp.example.com, client_id: below, client_secret: s}",
		"CLOAKROOM_PROVIDER_CLIENT_ID=app",
		"CLOAKROOM_TRUSTED_PROXIES=",
		"PATH=/bin", "noise",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Provider.ClientID != "app" || c.Provider.Issuer != "https://idp.example.com" {
		t.Errorf("the exact variable must win over its section's: %+v", c.Provider)
	}
	if _, err := config.Load("", nil); err == nil || !strings.HasPrefix(err.Error(), "public_url: is required\n") {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestASecretOfTheEnvironmentDisplacesTheFilesWayOfGivingIt(t *testing.T) {
	path := write(t, "secret", "from-a-file\n")
	byFile := strings.Replace(good, "client_secret: hunter2-HUNTER2", "client_secret_file: /not/there", 1)
	for _, row := range []struct {
		name, text string
		environ    []string
		want       string
	}{
		{"value over value", good, []string{"CLOAKROOM_PROVIDER_CLIENT_SECRET=env"}, "env"},
		{"file over value", good, []string{"CLOAKROOM_PROVIDER_CLIENT_SECRET_FILE=" + path}, "from-a-file"},
		{"value over file", byFile, []string{"CLOAKROOM_PROVIDER_CLIENT_SECRET=env"}, "env"},
		{"file over file", byFile, []string{"CLOAKROOM_PROVIDER_CLIENT_SECRET_FILE=" + path}, "from-a-file"},
		{"section over file", byFile, []string{"CLOAKROOM_PROVIDER={client_secret: env}"}, "env"},
		{"exact file over section", byFile, []string{"CLOAKROOM_PROVIDER={client_secret: env}", "CLOAKROOM_PROVIDER_CLIENT_SECRET_FILE=" + path}, "from-a-file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := parse(t, row.text, row.environ...).Provider.ClientSecret.Reveal(); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestProblemsOfTheEnvironmentNameTheVariable(t *testing.T) {
	for _, row := range []struct {
		name, environ, want string
	}{
		{"a bad value", "CLOAKROOM_SESSION_IDLE_TIMEOUT=30", "CLOAKROOM_SESSION_IDLE_TIMEOUT: session.idle_timeout: must be a duration with its unit, as 30s, 15m or 12h"},
		{"an empty value", "CLOAKROOM_LISTEN=", "CLOAKROOM_LISTEN: listen: must not be empty"},
		{"a bad row", "CLOAKROOM_API=[{path: /x/, upstream: nowhere}]", "CLOAKROOM_API: api[0].upstream: must be an absolute http or https URL"},
		{"a list that is a value", "CLOAKROOM_API=/x/", "CLOAKROOM_API: api: must be a list"},
		{"a section that is a value", "CLOAKROOM_LOG=x", "CLOAKROOM_LOG: log: must be a mapping of keys to values"},
		{"an unknown key in a section", "CLOAKROOM_LOG={lvel: x}", "CLOAKROOM_LOG: log.lvel: is not a key; did you mean level?"},
		{"a key given twice in a section", "CLOAKROOM_LOG={level: info, level: warn}", "CLOAKROOM_LOG: log.level: is given twice"},
		{"text that is no YAML", "CLOAKROOM_API=[{", "CLOAKROOM_API: is not valid YAML at this line or just below: did not find expected node content"},
		{"an unknown variable", "CLOAKROOM_PROVIDER_ISUER=x", "CLOAKROOM_PROVIDER_ISUER: is not a variable of the configuration; did you mean CLOAKROOM_PROVIDER_ISSUER?"},
		{"an alias", "CLOAKROOM_API=*hunter2-HUNTER2", "CLOAKROOM_API: is not valid YAML at this line or just below: unknown alias; a value that starts with * needs quotes"},
		{"both ways of giving a secret", "CLOAKROOM_PROVIDER={client_secret: a, client_secret_file: b}", "CLOAKROOM_PROVIDER: provider.client_secret_file: is given beside client_secret; give one of them"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := config.Parse(file, []byte(good), []string{row.environ})
			if err == nil || err.Error() != row.want {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
		})
	}
	_, err := config.Parse(file, []byte("provider: 5\n"+strings.Replace(good, "provider:", "tls:", 1)), []string{"CLOAKROOM_PROVIDER_ISSUER=https://i"})
	if err == nil || !strings.Contains(err.Error(), file+":1: provider: must be a mapping of keys to values") {
		t.Errorf("a section that is a value passes under the environment: %v", err)
	}
}
