package redis

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
)

// dialTogether dials connections on which commands of several calls go in one
// packet. The driver's writer is woken by a command and is next to run, so that it
// would send that one alone. It is had to wait instead until whoever is ready to
// run has run: what they ask is ready then, and goes with the next packet. Where
// nobody is, it waits for nothing.
func dialTogether(ctx context.Context, address string, d *net.Dialer, config *tls.Config) (conn net.Conn, err error) {
	if config == nil {
		conn, err = d.DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&tls.Dialer{NetDialer: d, Config: config}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return together{conn}, nil
}

type together struct{ net.Conn }

func (c together) Write(b []byte) (int, error) {
	runtime.Gosched()
	return c.Conn.Write(b)
}
