package mongodb_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/mongodb"
	"cloakroom/bff/session/storetest"
)

// told is what an error of a store must say.
var told = storetest.Telltale{Prefix: "mongodb: "}

func TestStore(t *testing.T) {
	t.Parallel()
	server := servers.FerretDB(t, nil)
	suite(t, func() string { return "mongodb://" + server.Addr() + "/d" + strings.ToLower(rand.Text()) })
}

func TestStoreOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate := servers.NewCertificate(t, dir)
	server := servers.FerretDB(t, &certificate)
	// MongoDB's drivers take certificate and key from one file.
	pair := filepath.Join(dir, "pair.pem")
	if err := os.WriteFile(pair, append(read(t, certificate.Cert), read(t, certificate.Key)...), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "mongodb://" + server.Addr() + "/sessions?tlsCAFile=" + certificate.CA
	s := open(t, url+"&tlsCertificateKeyFile="+pair)
	storetest.Recovers(t, s)
	for name, bad := range map[string]string{
		"no client certificate": url,
		"an unknown authority":  "mongodb://" + server.Addr() + "/?tls=true&tlsCertificateKeyFile=" + pair,
		"no TLS":                "mongodb://" + server.Addr(),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, bad)
			told.WantFailure(t, "Ping", s.Ping(t.Context()), session.Record{})
			_, err := s.Get(t.Context(), session.ID{})
			told.WantFailure(t, "Get", err, session.Record{})
		})
	}
}

// suite runs the contract, each rule in a database of its own.
func suite(t *testing.T, url func() string) {
	backend := storetest.Backend{Open: func(t *testing.T) session.Store { return open(t, url()) }}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestTheServerComesAndGoes(t *testing.T) {
	t.Parallel()
	storetest.RunService(t, storetest.Service{Telltale: told, Start: func(t *testing.T) storetest.Home {
		server := servers.FerretDB(t, nil)
		return storetest.Home{Server: server, Open: func(timeout time.Duration) storetest.Opened {
			return openConfig(t, mongodb.Config{URL: secret.New("mongodb://" + server.Addr()), Timeout: timeout})
		}}
	}})
}

// TestNothingIsLostWhenTheServerIsKilled under load.
func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := servers.FerretDB(t, nil)
	s := open(t, "mongodb://"+server.Addr())
	storetest.RunChaos(t, storetest.Chaos{
		Telltale: told, Stores: storetest.One(s), Hurt: storetest.KillAndRestart(server),
		Guests: 96, // FerretDB reads its whole collection for each call
	})
}

// TestTheServerCanReadNothing looks for a real session in all the server has:
// its files and its memory.
func TestTheServerCanReadNothing(t *testing.T) {
	t.Parallel()
	server := servers.FerretDB(t, nil)
	storetest.RunDump(t, open(t, "mongodb://"+server.Addr()), map[string]storetest.Remains{
		"memory": func(t *testing.T) iter.Seq[[]byte] { return server.Memory(t) },
		"files":  func(t *testing.T) iter.Seq[[]byte] { return servers.Files(t, server.Dir) },
	})
}

func TestInstancesShareTheIndexes(t *testing.T) {
	t.Parallel()
	server := servers.FerretDB(t, nil)
	url := "mongodb://" + server.Addr() + "/shared"
	var stores []*mongodb.Store
	for range 4 { // all of them make the indexes at once
		stores = append(stores, open(t, url))
	}
	failures := make(chan error, len(stores))
	for _, s := range stores {
		go func() { failures <- s.Ping(t.Context()) }()
	}
	for range stores {
		if err := <-failures; err != nil {
			t.Errorf("Ping = %v", err)
		}
	}
	specifications, err := collection(t, server, "shared").Indexes().ListSpecifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range specifications {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "_id_ cloakroom_expires_v1 cloakroom_keys_v1" {
		t.Errorf("the indexes are %s", got)
	}
}

func TestRunSweepsOutTheExpired(t *testing.T) {
	t.Parallel()
	server := servers.FerretDB(t, nil)
	var passed atomic.Int64
	s := openConfig(t, mongodb.Config{
		URL: secret.New("mongodb://" + server.Addr()), SweepEvery: 50 * time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) },
	})
	stays := record(3 * time.Hour)
	create(t, s, stays)
	for range 5 {
		create(t, s, record(time.Hour))
	}
	passed.Store(int64(2 * time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	c := collection(t, server, "cloakroom")
	servers.WaitFor(t, "the expired to go", func(ctx context.Context) error {
		if n, err := c.CountDocuments(ctx, bson.D{}); err != nil || n != 1 {
			return fmt.Errorf("%d documents, %v", n, err)
		}
		return nil
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if _, err := s.Get(t.Context(), stays.ID); err != nil {
		t.Errorf("Get of the one that lives = %v", err)
	}
}

func TestAnExpiredLeftoverMakesRoom(t *testing.T) {
	t.Parallel()
	server := servers.FerretDB(t, nil)
	var passed atomic.Int64
	s := openConfig(t, mongodb.Config{
		URL: secret.New("mongodb://" + server.Addr()),
		Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) },
	})
	r := record(time.Hour)
	first := create(t, s, r)
	passed.Store(int64(2 * time.Hour))
	r.Expires = time.Now().Add(4 * time.Hour)
	if second := create(t, s, r); second == first {
		t.Error("the new record has the version of the old")
	}
	if _, err := s.Create(t.Context(), r); !errors.Is(err, session.ErrExists) {
		t.Errorf("Create again = %v, want ErrExists", err)
	}
}

func TestADocumentThatIsNoRecordIsNotFound(t *testing.T) {
	t.Parallel()
	server := servers.FerretDB(t, nil)
	s := open(t, "mongodb://"+server.Addr())
	storetest.Recovers(t, s)
	c := collection(t, server, "cloakroom")
	later := bson.NewDateTimeFromTime(time.Now().Add(time.Hour))
	data := bson.Binary{Data: []byte("data")}
	for name, fields := range map[string]bson.D{
		"without anything":   {{Key: "expires", Value: later}},
		"of another kind":    {{Key: "expires", Value: later}, {Key: "version", Value: "1"}, {Key: "keys", Value: bson.A{}}, {Key: "data", Value: data}},
		"with a short key":   {{Key: "expires", Value: later}, {Key: "version", Value: int64(1)}, {Key: "keys", Value: bson.A{data}}, {Key: "data", Value: data}},
		"of version 0":       {{Key: "expires", Value: later}, {Key: "version", Value: int64(0)}, {Key: "keys", Value: bson.A{}}, {Key: "data", Value: data}},
		"that never expires": {{Key: "version", Value: int64(1)}, {Key: "keys", Value: bson.A{}}, {Key: "data", Value: data}},
	} {
		r := record(time.Hour)
		if _, err := c.InsertOne(t.Context(), append(bson.D{{Key: "_id", Value: bson.Binary{Data: r.ID[:]}}}, fields...)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get of a document %s = %v", name, err)
		}
		if err := s.Delete(t.Context(), r.ID); err != nil {
			t.Errorf("Delete of a document %s = %v", name, err)
		}
	}
}

func TestARecordLargerThanADocumentIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, "mongodb://127.0.0.1:1") // no server needs to say so
	storetest.WantTooLarge(t, s, storetest.WithData(16<<20))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	const prefix = "mongodb://u:hunter2-hunter2@a,b:27018/sessions"
	for name, test := range map[string]struct {
		url string
		ok  bool
	}{
		"a replica set":              {prefix + "?replicaSet=rs0&tls=true", true},
		"no database":                {"mongodb://a", true},
		"the concerns it has":        {prefix + "?w=majority&journal=true&readConcernLevel=majority&readPreference=primary", true},
		"linearizable reads":         {prefix + "?readConcernLevel=linearizable", true},
		"a name in the DNS":          {"mongodb+srv://u:hunter2-hunter2@a.example/sessions", true},
		"nothing":                    {"", false},
		"another scheme":             {"redis://u:hunter2-hunter2@a", false},
		"no host":                    {"mongodb://", false},
		"a bad escape":               {"mongodb://u:hunter2-hunter2%zz@a", false},
		"a database with a dot":      {prefix + ".x", false},
		"a write that may be lost":   {prefix + "?w=1", false},
		"no acknowledgement":         {prefix + "?w=0", false},
		"no journal":                 {prefix + "?journal=false", false},
		"reading from a secondary":   {prefix + "?readPreference=nearest", false},
		"reading what may be undone": {prefix + "?readConcernLevel=local", false},
		"a bad parameter":            {prefix + "?maxPoolSize=x", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := mongodb.New(mongodb.Config{URL: secret.New(test.url)})
			if (err == nil) != test.ok {
				t.Errorf("New = %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
			if err == nil {
				_ = s.Close()
			}
		})
	}
	if _, err := mongodb.New(mongodb.Config{URL: secret.New("mongodb://a"), Timeout: -1}); err == nil {
		t.Error("a negative timeout is taken")
	}
}

// Benchmark measures one call at a time, of 3.5 KB of data. FerretDB reads its
// whole collection for each, so this bounds the store's own part, no more.
func Benchmark(b *testing.B) {
	server := servers.FerretDB(b, nil)
	s := open(b, "mongodb://"+server.Addr())
	r := record(time.Hour)
	r.Version = create(b, s, r)
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Get(b.Context(), r.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Update", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if r.Version, err = s.Update(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			create(b, s, record(time.Hour))
		}
	})
}

func collection(t *testing.T, server *servers.FerretDBServer, database string) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + server.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database(database).Collection("sessions")
}

func open(t testing.TB, url string) *mongodb.Store {
	t.Helper()
	return openConfig(t, mongodb.Config{URL: secret.New(url)})
}

func openConfig(t testing.TB, c mongodb.Config) *mongodb.Store {
	t.Helper()
	s, err := mongodb.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func create(t testing.TB, s session.Store, r session.Record) session.Version {
	t.Helper()
	v, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatalf("Create = %v", err)
	}
	return v
}

func record(d time.Duration) session.Record { return storetest.NewRecord(d) }

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
