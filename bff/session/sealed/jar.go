package sealed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cloakroom/bff/session"
)

// Config of a Jar.
type Config struct {
	// Cookie names the first cookie and says how all of them travel.
	Cookie session.Cookie
	Format Format
	Keys   *session.KeyRing
	// Sessions keeps what was opened here; its store is a *Copies.
	Sessions *session.Manager
	// Ended is where Copies notes the sessions that ended.
	Ended *session.Manager
	// Budget is the most that names and values of the cookies of a session may
	// take, in bytes; 0 means 12,288. A web server in front must take requests
	// with such a Cookie line.
	Budget int
	// AskAgain is how long a session is served from the copy before it is made
	// sure that no other instance ended it; 0: never, since there is nobody to
	// ask.
	AskAgain time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Jar moves sessions between the browsers that keep them and the copies here.
type Jar struct {
	config Config
	codec  codec
	form   form
	opened *memo
	made   time.Time
}

var _ session.Holder = (*Jar)(nil)

// New checks the config.
func New(c Config) (*Jar, error) {
	if c.Cookie.Name == "" || c.Keys == nil || c.Sessions == nil || c.Ended == nil || c.Budget < 0 {
		return nil, errors.New("sealed: a cookie, keys and managers are needed")
	}
	if c.Budget == 0 {
		c.Budget = 12 << 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	made, err := newCodec(c.Format, c.Keys, c.Cookie.Name, c.Sessions.Lifetimes().Absolute)
	if err != nil {
		return nil, err
	}
	return &Jar{config: c, codec: made, form: formOf(c.Format), opened: newMemo(), made: c.Now()}, nil
}

// clock is the time since the jar was made.
func (j *Jar) clock() time.Duration { return j.config.Now().Sub(j.made) }

// Ticket implements session.Holder.
func (j *Jar) Ticket(r *http.Request) (session.Ticket, error) {
	t, _, err := j.Admit(r, j.config.Sessions)
	return t, err
}

// Admit implements session.Holder, for the sessions it was made for: it opens the
// one that r came with. From then on it knows it by the hash of its cookies.
func (j *Jar) Admit(r *http.Request, _ *session.Manager) (session.Ticket, session.Session, error) {
	if known, ok := j.recall(r); ok {
		if s, err := j.load(r.Context(), known); !errors.Is(err, session.ErrNotFound) {
			return known.ticket, s, err
		}
	}
	return j.look(r)
}

// look is for cookies that did not just come over the same connection.
func (j *Jar) look(r *http.Request) (session.Ticket, session.Session, error) {
	came, err := find(j.config.Cookie.Name, r)
	if err != nil {
		return session.Ticket{}, session.Session{}, err
	}
	hash, turn := came.hash(), j.config.Keys.Turn()
	known, again := j.opened.get(hash)
	if again && known.turn == turn {
		if s, err := j.load(r.Context(), known); !errors.Is(err, session.ErrNotFound) {
			remember(r, known)
			return known.ticket, s, err
		}
	}
	found, err := j.unseal(came.text())
	if err != nil {
		return session.Ticket{}, session.Session{}, err
	}
	takeIn := j.config.Sessions.Glance
	if again {
		takeIn = j.config.Sessions.Adopt
	}
	s, err := j.admit(r.Context(), &found, takeIn)
	if err != nil {
		return session.Ticket{}, session.Session{}, err
	}
	opened := seen{found.ticket, found.ticket.ID(), stampOf(&found.session), turn, j.clock()}
	j.opened.put(hash, opened)
	remember(r, opened)
	return found.ticket, s, nil
}

// load returns the session of what was seen: ErrNotFound when it is not here, or
// must be asked for elsewhere again.
func (j *Jar) load(ctx context.Context, known seen) (session.Session, error) {
	if j.config.AskAgain > 0 && j.clock()-known.asked >= j.config.AskAgain {
		return session.Session{}, session.ErrNotFound
	}
	return j.config.Sessions.Load(ctx, known.ticket)
}

// Known implements session.Holder.
func (j *Jar) Known(r *http.Request) (session.ID, bool) {
	known, ok := j.known(r)
	return known.id, ok
}

// known is what is remembered of the cookies of r, opened by the keys in use.
func (j *Jar) known(r *http.Request) (seen, bool) {
	if known, ok := j.recall(r); ok {
		return known, true
	}
	came, err := find(j.config.Cookie.Name, r)
	if err != nil {
		return seen{}, false
	}
	known, ok := j.opened.get(came.hash())
	return known, ok && known.turn == j.config.Keys.Turn()
}

// recall is what the connection of r remembers of them, opened by the keys in use.
func (j *Jar) recall(r *http.Request) (seen, bool) {
	known, ok := recall(r)
	return known, ok && known.turn == j.config.Keys.Turn()
}

func (j *Jar) unseal(text string) (content, error) {
	plain, err := j.codec.open(text)
	if err != nil {
		return content{}, err
	}
	return j.form.unmarshal(plain)
}

// adopt is how the Manager takes a session in that its browser kept: at once, or
// later.
type adopt func(context.Context, session.Ticket, session.Session, []byte) (session.Session, error)

// admit takes in a session that was opened, unless it has ended: here, or at the
// provider. It returns what the copy says.
//
// It is asked for afterwards: whoever ends a session notes so before deleting the
// copy, so that one of the two sees the other.
func (j *Jar) admit(ctx context.Context, found *content, takeIn adopt) (session.Session, error) {
	s, err := takeIn(ctx, found.ticket, found.session, found.encoded)
	if err != nil {
		return session.Session{}, err
	}
	id := found.ticket.ID()
	facts := [][]string{{factEnded, string(id[:])}, {session.FactEndedSID, s.Issuer, s.SID}}
	if s.SID == "" {
		facts = facts[:1]
	}
	return s, j.refuseEnded(ctx, found.ticket, facts)
}

func (j *Jar) refuseEnded(ctx context.Context, t session.Ticket, facts [][]string) error {
	ended, err := j.config.Ended.AnyNoted(ctx, facts...)
	switch {
	case err != nil:
		return err
	case ended:
		// The copy, if there is one, goes too, and whoever waits for that is told.
		return errors.Join(session.ErrNotFound, j.config.Sessions.Delete(ctx, t))
	}
	return nil
}

// Give implements session.Holder: it seals the session of t as it is now.
func (j *Jar) Give(w http.ResponseWriter, r *http.Request, t session.Ticket) error {
	s, err := j.config.Sessions.Load(r.Context(), t)
	if err != nil {
		return err
	}
	plain, err := j.form.marshal(t, &s)
	if err != nil {
		return fmt.Errorf("sealed: %w", err)
	}
	turn := j.config.Keys.Turn()
	text, err := j.codec.seal(plain)
	if err != nil {
		return err
	}
	values, err := split(j.config.Cookie.Name, text, j.config.Budget)
	if err != nil {
		return err
	}
	j.opened.put(sha256.Sum256([]byte(text)), seen{t, t.ID(), stampOf(&s), turn, j.clock()})
	for i, value := range values {
		j.config.Cookie.Set(w, partName(j.config.Cookie.Name, i), value)
	}
	j.clear(w, r, len(values))
	return nil
}

// Settle implements session.Holder: a browser whose session is older than s is
// given the new one.
func (j *Jar) Settle(w http.ResponseWriter, r *http.Request, t session.Ticket, s *session.Session) error {
	if known, ok := j.known(r); ok && known.stamp == stampOf(s) {
		return nil
	}
	return j.Give(w, r, t)
}

// Take implements session.Holder.
func (j *Jar) Take(w http.ResponseWriter, r *http.Request) { j.clear(w, r, 0) }

// clear takes back every cookie from the first-th on.
func (j *Jar) clear(w http.ResponseWriter, r *http.Request, first int) {
	for i := first; i < maxParts; i++ {
		name := partName(j.config.Cookie.Name, i)
		if i == 0 || len(r.CookiesNamed(name)) > 0 {
			j.config.Cookie.Drop(w, name)
		}
	}
}
