package topology

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

func one(name, address string, process interface {
	Kill()
	Term()
	Restart()
}) []*storeNode {
	return []*storeNode{{Node: lab.Node{Kind: lab.NodeStore, Name: name, Address: address, State: lab.NodeUp}, process: process}}
}

// memcachedMegabytes is little, so that it can be filled.
const memcachedMegabytes = 8

// startMemcached runs one server.
func startMemcached(w *World) *store {
	m := servers.Memcached(w.stage, "-m", fmt.Sprint(memcachedMegabytes))
	return &store{
		nodes: one("memcached", m.Addr(), m), target: m.Addr(),
		session: func(address string) string { return fmt.Sprintf("store: memcached, url: %q", "memcached://"+address) },
		flush:   func() error { m.Do("flush_all\r\n"); return nil },
		fill:    func() error { return crowdOut(m) },
		ease:    func() error { return nil }, // who is crowded out, stays out
		held: func(context.Context) (bytes, sessions int64, err error) {
			return int64(m.Stat("bytes")), int64(m.Stat("curr_items")), nil
		},
		from: "what memcached says of its items (stats bytes)",
	}
}

// crowdOut stores values of every size a session may have, twice as many bytes as
// there is room for.
func crowdOut(m *servers.MemcachedServer) error {
	conn, err := net.DialTimeout("tcp", m.Addr(), 2*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	value, sent := strings.Repeat("x", 16<<10), 0
	for n := 0; sent < 2*memcachedMegabytes<<20; n++ {
		size := 64 << (n % 9)      // 64 B to 16 KiB
		size -= size / 8 * (n % 4) // and between
		if _, err := fmt.Fprintf(conn, "set lab-%d 0 0 %d noreply\r\n%s\r\n", n, size, value[:size]); err != nil {
			return err
		}
		sent += size
	}
	// An answer means that all before it was taken in.
	if _, err := io.WriteString(conn, "version\r\n"); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 64))
	return err
}

// startSQL runs PostgreSQL.
func startSQL(w *World) *store {
	p := servers.Postgres(w.stage)
	at := func(address string) string {
		return (&url.URL{
			Scheme: "postgres", User: url.UserPassword(servers.PostgresUser, servers.PostgresPassword), Host: address,
			Path: "postgres", RawQuery: url.Values{"sslmode": {"disable"}}.Encode(),
		}).String()
	}
	direct := at(servers.Address(p.Port))
	run := func(ctx context.Context, f func(*pgx.Conn) error) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, direct)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		return f(conn)
	}
	return &store{
		nodes: one("postgres", servers.Address(p.Port), p), target: servers.Address(p.Port),
		session: func(address string) string { return fmt.Sprintf("store: postgres, url: %q", at(address)) },
		flush: func() error {
			return run(context.Background(), func(c *pgx.Conn) error {
				_, err := c.Exec(context.Background(), `DELETE FROM cloakroom_sessions`)
				return err
			})
		},
		held: func(ctx context.Context) (bytes, sessions int64, err error) {
			err = run(ctx, func(c *pgx.Conn) error {
				return c.QueryRow(ctx, `SELECT count(*), coalesce(sum(pg_column_size(s.*)), 0)::bigint FROM cloakroom_sessions s`).Scan(&sessions, &bytes)
			})
			return bytes, sessions, err
		},
		from: "what PostgreSQL says of the rows, without their indexes (pg_column_size)",
	}
}

// startDocument runs FerretDB.
func startDocument(w *World) *store {
	f := servers.FerretDB(w.stage, nil)
	at := func(address string) string { return "mongodb://" + address + "/cloakroom" }
	run := func(ctx context.Context, g func(context.Context, *mongo.Collection) error) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(at(f.Addr())))
		if err != nil {
			return err
		}
		defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
		return g(ctx, client.Database("cloakroom").Collection("sessions"))
	}
	return &store{
		nodes: one("ferretdb", f.Addr(), f), target: f.Addr(),
		session: func(address string) string { return fmt.Sprintf("store: mongodb, url: %q", at(address)) },
		flush: func() error {
			return run(context.Background(), func(ctx context.Context, c *mongo.Collection) error {
				_, err := c.DeleteMany(ctx, bson.D{})
				return err
			})
		},
		held: func(ctx context.Context) (bytes, sessions int64, err error) {
			err = run(ctx, func(ctx context.Context, c *mongo.Collection) error {
				all, err := c.Find(ctx, bson.D{})
				if err != nil {
					return err
				}
				defer func() { _ = all.Close(ctx) }()
				for all.Next(ctx) {
					bytes, sessions = bytes+int64(len(all.Current)), sessions+1
				}
				return all.Err()
			})
			return bytes, sessions, err
		},
		from: "the length of the documents (BSON)",
	}
}
