package nats_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/storetest"
)

func TestTheDocumentedRightsSufficeOverTLS(t *testing.T) {
	t.Parallel()
	certificate := servers.NewCertificate(t, t.TempDir())
	const bucket = "sessions"
	server := servers.NATS(t,
		fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", certificate.Cert, certificate.Key, certificate.CA),
		fmt.Sprintf(`authorization { users: [ { user: "cloakroom", password: "p@ss/word?1", permissions: %s } ] }`, documentedRights(t, bucket)),
	)
	url := "tls://cloakroom:p%40ss%2Fword%3F1@" + server.Addr() + "?bucket=" + bucket
	files := "&cert_file=" + certificate.Cert + "&key_file=" + certificate.Key
	authority := "&ca_file=" + certificate.CA
	s := open(t, url+files+authority)
	suite(t, func(*testing.T) session.Store { return s })
	t.Run("watching", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		heard := make(chan session.ID, 10)
		done := make(chan error)
		go func() { done <- s.Watch(ctx, func(id session.ID, _ bool) { heard <- id }) }()
		<-heard
		r := record(time.Hour)
		create(t, s, r)
		if got := <-heard; got != r.ID {
			t.Errorf("heard of %s, want %s", got, r.ID)
		}
		cancel()
		<-done
	})
	for name, bad := range map[string]string{
		"no client certificate": url + authority,
		"an unknown authority":  url + files,
		"a wrong password":      strings.Replace(url, "word", "sword", 1) + files + authority,
		"another's bucket":      strings.Replace(url, "sessions", "others", 1) + files + authority,
		"no user":               "tls://" + server.Addr() + "?bucket=" + bucket + files + authority,
		"no file":               url + files + "&ca_file=/nowhere/ca.pem",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, bad)
			r := record(time.Hour)
			told.WantFailure(t, "Ping", s.Ping(t.Context()), r)
			_, err := s.Get(t.Context(), r.ID)
			told.WantFailure(t, "Get", err, r)
		})
	}
}

// documentedRights are those of doc.go, for a server's configuration.
func documentedRights(t *testing.T, bucket string) string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(strings.ReplaceAll(string(doc), "\n// ", " "), "Outside:")
	var publish []string
	for _, subject := range regexp.MustCompile(`\$[A-Z]+\.[^ ]+[^ ,;]`).FindAllString(text, -1) {
		subject = strings.ReplaceAll(subject, "<bucket>", bucket)
		before, list, ok := strings.Cut(subject, "{")
		if !ok {
			publish = append(publish, fmt.Sprintf("%q", subject))
			continue
		}
		list, after, _ := strings.Cut(list, "}")
		for one := range strings.SplitSeq(list, ",") {
			publish = append(publish, fmt.Sprintf("%q", before+one+after))
		}
	}
	if len(publish) < 6 {
		t.Fatalf("doc.go documents only %q", publish)
	}
	return fmt.Sprintf(`{ publish: [%s], subscribe: ["_INBOX.>"] }`, strings.Join(publish, ", "))
}

func TestTheServerComesAndGoes(t *testing.T) {
	t.Parallel()
	storetest.RunService(t, storetest.Service{Telltale: told, Start: func(t *testing.T) storetest.Home {
		server := servers.NATS(t)
		return storetest.Home{Server: server, Open: func(timeout time.Duration) storetest.Opened {
			s, err := nats.New(nats.Config{URL: secret.New("nats://" + server.Addr()), Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}}
	}})
}

// TestNothingIsLostWhenServersOfAClusterAreKilled takes the leader of three
// first, and with its successor lets most of them be away for a while.
func TestNothingIsLostWhenServersOfAClusterAreKilled(t *testing.T) {
	t.Parallel()
	cluster := servers.NATSCluster(t, 3)
	s, err := nats.New(nats.Config{URL: secret.New("nats://" + cluster.Addrs()), Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	storetest.RunChaos(t, storetest.Chaos{Telltale: told, Stores: storetest.One(s), Hurt: func(t *testing.T, l *storetest.Load) {
		leader := leads(t, s, cluster)
		leader.Kill()
		l.WaitFailure(storetest.Changing)
		l.Wait(storetest.Changing, 20) // with a leader anew
		l.Wait(storetest.Ending, 20)
		second := leads(t, s, cluster)
		second.Kill()
		l.WaitFailure(storetest.Reading)
		l.WaitFailure(storetest.Ending)
		second.Restart()
		leader.Restart()
	}})
}

// leads returns the server that leads the bucket.
func leads(t *testing.T, s *nats.Store, cluster servers.NATSServers) (leader *servers.NATSServer) {
	t.Helper()
	servers.WaitFor(t, "a leader", func(ctx context.Context) error {
		status, err := s.Status(ctx)
		if leader = cluster.Named(status.Leader); err == nil && leader == nil {
			err = errors.New("there is none")
		}
		return err
	})
	return leader
}

func TestABucketThatVanishesIsMadeAnew(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t)
	s := open(t, "nats://"+server.Addr())
	r := record(time.Hour)
	r.Version = create(t, s, r)
	if err := admin(t, server).DeleteStream(t.Context(), "KV_cloakroom"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), r.ID)
	told.WantFailure(t, "Get without a bucket", err, r)
	storetest.Recovers(t, s)
	if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Update of what the old bucket had = %v, want ErrNotFound", err)
	}
}

func TestABucketOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t)
	js := admin(t, server)
	for bucket, c := range map[string]jetstream.KeyValueConfig{
		"without-markers": {}, "with-history": {History: 5, LimitMarkerTTL: time.Minute},
	} {
		c.Bucket = bucket
		if _, err := js.CreateKeyValue(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		told.WantFailure(t, bucket, open(t, "nats://"+server.Addr()+"?bucket="+bucket).Ping(t.Context()), session.Record{})
	}
	// One that others made as the documentation says serves, and reads still go
	// to the leader, whatever the bucket allows.
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "good", LimitMarkerTTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	s := open(t, "nats://"+server.Addr()+"?bucket=good")
	suite(t, func(*testing.T) session.Store { return s })
}

func TestNothingStaysBehind(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t)
	s := open(t, "nats://"+server.Addr()+"?storage=memory")
	r := record(time.Second)
	create(t, s, r)
	deleted := record(time.Hour)
	create(t, s, deleted)
	if err := s.Delete(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	js := admin(t, server)
	stream, err := js.Stream(t.Context(), "KV_cloakroom")
	if err != nil {
		t.Fatal(err)
	}
	if c := stream.CachedInfo().Config; c.Storage != jetstream.MemoryStorage || c.Replicas != 1 {
		t.Errorf("the bucket has %v and %d replicas", c.Storage, c.Replicas)
	}
	servers.WaitFor(t, "the expired record and the index of the deleted one to go", func(ctx context.Context) error {
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
		if err != nil {
			return err
		}
		for subject := range info.State.Subjects {
			if m, err := stream.GetLastMsgForSubject(ctx, subject); err == nil && strings.HasPrefix(subject, "$KV.cloakroom.s.") && m.Header.Get("KV-Operation") == "" {
				return fmt.Errorf("there is %s", subject)
			}
			m, err := stream.GetLastMsgForSubject(ctx, subject)
			if err == nil && m.Header.Get(jetstream.MsgTTLHeader) == "" {
				return fmt.Errorf("a message would stay for ever: %v", m.Header)
			}
		}
		return nil
	})
}

func TestWhatIsNoRecordIsNotFound(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t)
	s := open(t, "nats://"+server.Addr())
	r := record(time.Hour)
	create(t, s, r)
	js := admin(t, server)
	kv, err := js.KeyValue(t.Context(), "cloakroom")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"empty": "", "short": "\x01abc", "of another format": "\x02" + strings.Repeat("a", 40),
		"with more keys than it has room for": "\x01" + strings.Repeat("\x7f", 16) + "\x04" + "too short",
		"with more keys than there may be":    "\x01" + strings.Repeat("\x7f", 16) + "\xff" + strings.Repeat("a", 5000),
	} {
		r := record(time.Hour)
		if _, err := kv.Put(t.Context(), "s."+text(r.ID[:]), []byte(value)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get of a record %s = %v", name, err)
		}
		if err := s.Delete(t.Context(), r.ID); err != nil {
			t.Errorf("Delete of a record %s = %v", name, err)
		}
	}
	// Entries of an index that lead nowhere, or to what is not under the key.
	other := record(time.Hour)
	create(t, s, other)
	for _, id := range []string{text(other.ID[:]), text(make([]byte, 32)), "short"} {
		if _, err := kv.Put(t.Context(), "i."+text(r.Keys[0][:])+"."+id, nil); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 || found[0].ID != r.ID {
		t.Errorf("Find = %d records, %v, want the one", len(found), err)
	}
}

// TestTheIndexOutlivesARecordThatSlides: updates leave the index alone, as long
// as it lives longer than the record.
func TestTheIndexOutlivesARecordThatSlides(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t)
	var ahead time.Duration
	s, err := nats.New(nats.Config{URL: secret.New("nats://" + server.Addr()), Now: func() time.Time { return time.Now().Add(ahead) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := record(time.Hour)
	r.Version = create(t, s, r)
	kv, err := admin(t, server).KeyValue(t.Context(), "cloakroom")
	if err != nil {
		t.Fatal(err)
	}
	entry := "i." + text(r.Keys[0][:]) + "." + text(r.ID[:])
	writes := map[uint64]bool{}
	for range 20 {
		e, err := kv.Get(t.Context(), entry)
		if err != nil {
			t.Fatal(err)
		}
		writes[e.Revision()] = true
		ahead += 30 * time.Minute
		r.Expires = time.Now().Add(ahead + time.Hour)
		if r.Version, err = s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(writes); n < 4 || n > 12 {
		t.Errorf("20 updates over 10 hours wrote the index %d times", n)
	}
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 {
		t.Errorf("Find = %d records, %v", len(found), err)
	}
}

func admin(t *testing.T, server *servers.NATSServer) jetstream.JetStream {
	t.Helper()
	nc, err := natsgo.Connect("nats://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func open(t testing.TB, url string) *nats.Store {
	t.Helper()
	s, err := nats.New(nats.Config{URL: secret.New(url)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestTheExpiredIsNotFoundBeforeTheServerRemovesIt: the server counts in
// seconds, and by a clock of its own.
func TestTheExpiredIsNotFoundBeforeTheServerRemovesIt(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t)
	r := record(time.Hour)
	r.Version = create(t, open(t, "nats://"+server.Addr()), r)
	s, err := nats.New(nats.Config{
		URL: secret.New("nats://" + server.Addr()), Now: func() time.Time { return time.Now().Add(2 * time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	late := r
	late.Expires = time.Now().Add(4 * time.Hour)
	if _, err := s.Update(t.Context(), late); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Update = %v, want ErrNotFound", err)
	}
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 0 {
		t.Errorf("Find = %d records, %v", len(found), err)
	}
	if again := create(t, s, late); again == r.Version {
		t.Error("the new record has the version of the old")
	}
}
