package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/storetest"
)

// What a user would pick instead, set up as its documentation says for what is
// measured: sign in, hand the access token to the API.

const (
	oauth2ProxyModule   = "github.com/oauth2-proxy/oauth2-proxy/v7"
	oauth2ProxyCallback = "/oauth2/callback"
)

// openOAuth2Proxy builds it from the module beside this program, which nothing
// else depends on. Its log is as it is by default.
func openOAuth2Proxy(redis bool) func(*world, *servers.Stage, string) *front {
	return func(w *world, s *servers.Stage, name string) *front {
		program := servers.Build(s, "bff/bench/oauth2proxy", oauth2ProxyModule, "oauth2-proxy")
		args := []string{
			"--http-address=" + w.addr(name), "--upstream=http://" + w.upstream.addr() + "/",
			"--provider=oidc", "--oidc-issuer-url=" + w.issuer, "--client-id=" + clientID, "--client-secret=" + clientSecret,
			"--redirect-url=" + w.origin(name) + oauth2ProxyCallback, "--code-challenge-method=S256",
			"--scope=openid profile email offline_access", "--email-domain=*", "--skip-provider-button",
			"--pass-access-token", "--cookie-secure=false", "--cookie-secret=" + storetest.Noise(32),
		}
		made := &front{addr: w.addr(name)}
		if redis {
			r := servers.Redis(s)
			made.store = r.Process
			args = append(args, "--session-store-type=redis", "--redis-connection-url=redis://"+r.Addr())
		}
		made.server = w.start(s, name, servers.Command{Program: program, Args: args})
		made.version = "oauth2-proxy " + requiredVersion(s, program, oauth2ProxyModule)
		made.calls = w.signedIn(s, name, "/oauth2/start?rd=%2F")
		return made
	}
}

// requiredVersion is that of a module in a program.
func requiredVersion(s *servers.Stage, program, module string) string {
	info, err := buildinfo.ReadFile(program)
	s.Must(err)
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	s.Fatalf("%s has no %s", program, module)
	return ""
}

const (
	apacheModules  = "/usr/lib/apache2/modules"
	apacheCallback = "/oidc-callback"
)

// apacheConf has the limits of Debian's mpm_event.conf, but for connections that
// last.
const apacheConf = `
ServerRoot %[1]s
ServerName app.localhost
PidFile %[1]s/apache.pid
Listen %[2]s
%[3]s
StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
ThreadLimit 64
ThreadsPerChild 25
MaxRequestWorkers 150
MaxConnectionsPerChild 0
Timeout 300
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 300
ErrorLog /dev/stderr
LogLevel warn
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\"" combined
CustomLog %[4]s combined

OIDCProviderMetadataURL %[5]s/.well-known/openid-configuration
OIDCClientID %[6]s
OIDCClientSecret %[7]s
OIDCRedirectURI %[8]s
OIDCCryptoPassphrase %[9]s
OIDCScope "openid profile email offline_access"
OIDCPKCEMethod S256
OIDCSessionInactivityTimeout 7200
OIDCPassClaimsAs environment
%[10]s

<Location />
	AuthType openid-connect
	Require valid-user
	RequestHeader set Authorization "Bearer %%{OIDC_access_token}e"
	ProxyPass http://%[11]s/ keepalive=On
</Location>
`

// openApache runs Apache with mod_auth_openidc, sessions kept in shm, Redis or
// their cookies.
func openApache(sessions string) func(*world, *servers.Stage, string) *front {
	return func(w *world, s *servers.Stage, name string) *front {
		if _, err := os.Stat(filepath.Join(apacheModules, "mod_auth_openidc.so")); err != nil {
			s.Fatalf("mod_auth_openidc is not installed: apt-get install libapache2-mod-auth-openidc")
		}
		made := &front{addr: w.addr(name)}
		var kept string
		switch sessions {
		case "shm":
			kept = "OIDCCacheType shm\nOIDCCacheShmMax 2000\nOIDCCacheShmEntrySizeMax 65536"
		case "cookie":
			kept = "OIDCSessionType client-cookie"
		case "redis":
			r := servers.Redis(s)
			made.store = r.Process
			kept = "OIDCCacheType redis\nOIDCRedisCacheServer " + r.Addr()
		}
		var modules strings.Builder
		for _, module := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http", "auth_openidc"} {
			fmt.Fprintf(&modules, "LoadModule %s_module %s/mod_%s.so\n", module, apacheModules, module)
		}
		owner := servers.Unprivileged(s, "www-data")
		if owner != nil {
			modules.WriteString("User www-data\nGroup www-data\n")
		}
		dir := servers.Dir(s, owner)
		file := write(s, dir, "apache.conf", fmt.Sprintf(apacheConf, dir, w.addr(name), &modules, filepath.Join(w.logs, name+".access.log"),
			w.issuer, clientID, clientSecret, w.origin(name)+apacheCallback, storetest.Noise(32), kept, w.upstream.addr()))
		made.server = w.start(s, name, servers.Command{Program: "apache2", Package: "apache2", Args: []string{"-f", file, "-DFOREGROUND"}, Dir: dir})
		s.Cleanup(made.server.Term) // before it is killed: its children would be left
		made.version = versionOf(s, "Apache", "apache2", "-v") + ", mod_auth_openidc " + debianVersion("libapache2-mod-auth-openidc")
		made.calls = w.signedIn(s, name, "/")
		return made
	}
}

// debianVersion is that of an installed package, as far as it is the project's.
func debianVersion(name string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		return "of unknown version"
	}
	return number.FindString(string(out))
}
