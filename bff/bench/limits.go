package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// bareTokens are shown to the bare proxies: real ones of the provider's, that
// nobody was signed in for.
func (w *world) bareTokens(s *servers.Stage) []string {
	tokens := make([]string, connections)
	for i := range tokens {
		token, err := w.person.mint(w.ctx, w.issuer, w.origin(bareName)+shared.PathCallback)
		s.Must(err)
		tokens[i] = token
	}
	return tokens
}

// openBare runs this program again, as the yardstick.
func openBare(w *world, s *servers.Stage, name string) *front {
	self, err := os.Executable()
	s.Must(err)
	p := w.start(s, name, servers.Command{Program: self, Args: []string{"bare", "-listen", w.addr(name), "-upstream", "http://" + w.upstream.addr()}})
	return &front{addr: w.addr(name), server: p, version: strings.Replace(runtime.Version(), "go", "Go ", 1), calls: w.bearers(name, w.bareTokens(s))}
}

// bare is the yardstick: Go's reverse proxy as one would write it who cares for
// speed, with what it lacks by default, a BufferPool and idle connections.
func bare(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "`address`")
	to := flags.String("upstream", "", "`URL`")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	target, err := url.Parse(*to)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.Proxy = 0, 256, nil
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport, BufferPool: &buffers{},
	}}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return server.Serve(l)
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }

const nginxConf = `
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	access_log off;
	keepalive_requests 1000000000;
	upstream api { server %[2]s; keepalive 256; keepalive_requests 1000000000; }
	server {
		listen %[1]s;
		location / {
			proxy_pass http://api;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
}
`

func openNginx(w *world, s *servers.Stage, name string) *front {
	dir := servers.Dir(s, nil)
	file := write(s, dir, "nginx.conf", fmt.Sprintf(nginxConf, w.addr(name), w.upstream.addr()))
	p := w.start(s, name, servers.Command{Program: "nginx", Package: "nginx", Args: []string{"-p", dir, "-c", file}, Dir: dir})
	return &front{addr: w.addr(name), server: p, version: versionOf(s, "nginx", "nginx", "-v"), calls: w.bearers(name, w.bareTokens(s))}
}

const haproxyConf = `
global
	nbthread 1
	maxconn 2000
defaults
	mode http
	timeout client 60s
	timeout connect 5s
	timeout server 60s
frontend bench
	bind %s
	default_backend api
backend api
	http-reuse always
	server api %s
`

func openHAProxy(w *world, s *servers.Stage, name string) *front {
	dir := servers.Dir(s, nil)
	file := write(s, dir, "haproxy.cfg", fmt.Sprintf(haproxyConf, w.addr(name), w.upstream.addr()))
	p := w.start(s, name, servers.Command{Program: "haproxy", Package: "haproxy", Args: []string{"-db", "-f", file}, Dir: dir})
	return &front{addr: w.addr(name), server: p, version: versionOf(s, "HAProxy", "haproxy", "-v"), calls: w.bearers(name, w.bareTokens(s))}
}

func write(s *servers.Stage, dir, name, text string) string {
	file := filepath.Join(dir, name)
	s.Must(os.WriteFile(file, []byte(text), 0o600))
	return file
}

var number = regexp.MustCompile(`\d+(\.\d+)+`)

// versionOf is what a program calls itself, with a name for people.
func versionOf(s *servers.Stage, called, program string, args ...string) string {
	out, err := exec.Command(servers.Program(s, program, program), args...).CombinedOutput()
	if err != nil {
		s.Fatalf("%s: %v: %s", program, err, out)
	}
	return called + " " + number.FindString(string(out))
}

// redisVersion is that of the server that every row with Redis has one of.
func redisVersion() string {
	out, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return "Redis of unknown version"
	}
	return "Redis " + number.FindString(string(out))
}
