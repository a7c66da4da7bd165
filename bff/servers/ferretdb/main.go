// Command ferretdb serves MongoDB's protocol from SQLite, for tests.
//
// MongoDB changes a document in one atomic step. FerretDB 1 looks for it and
// then writes, and another may write in between. So a proxy in front of it lets
// one message through at a time, which makes each a step of its own again.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "`address` to listen on")
	dir := flag.String("dir", ".", "`folder` of the data")
	cert := flag.String("cert", "", "certificate `file`; empty means no TLS")
	key := flag.String("key", "", "key `file`")
	ca := flag.String("ca", "", "`file` of the authority of the clients' certificates")
	flag.Parse()
	log.Fatal(run(*listen, *dir, *cert, *key, *ca))
}

func run(listen, dir, cert, key, ca string) error {
	socket := filepath.Join(dir, "ferretdb.sock")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{Unix: socket},
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Handler:  "sqlite", SQLiteURL: "file:" + dir + "/",
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- db.Run(context.Background()) }()

	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if cert != "" {
		config, err := tlsConfig(cert, key, ca)
		if err != nil {
			return err
		}
		l = tls.NewListener(l, config)
	}
	p := &proxy{socket: socket}
	go func() { ended <- p.serve(l) }()
	return <-ended
}

func tlsConfig(cert, key, ca string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}

// proxy lets one message of all connections through at a time.
type proxy struct {
	socket string
	mu     sync.Mutex
}

func (p *proxy) serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go p.handle(conn)
	}
}

func (p *proxy) handle(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", p.socket)
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = server.Close() }()
	fromClient, fromServer := bufio.NewReader(client), bufio.NewReader(server)
	for {
		message, err := readMessage(fromClient)
		if err != nil {
			return
		}
		reply, err := p.exchange(server, fromServer, message)
		if err != nil {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

func (p *proxy) exchange(server net.Conn, fromServer *bufio.Reader, message []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := server.Write(message); err != nil {
		return nil, err
	}
	return readMessage(fromServer)
}

// readMessage reads one message of the wire protocol: its length, in four
// bytes, counts itself.
func readMessage(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < 16 || n > 64<<20 {
		return nil, errors.New("not the wire protocol")
	}
	message := make([]byte, n)
	copy(message, head[:])
	_, err := io.ReadFull(r, message[4:])
	return message, err
}
