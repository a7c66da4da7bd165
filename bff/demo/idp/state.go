package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	requestLifetime = 10 * time.Minute
	codeLifetime    = time.Minute // RFC 6749 §4.1.2: short lived

	maxRequests, maxCodes, maxSessions, maxGrants, maxAccessTokens, maxLogouts = 5000, 5000, 5000, 5000, 20000, 1000
)

var (
	errUnknown    = errors.New("unknown or expired")
	errReplayed   = errors.New("used before; the family is revoked")
	errSignedOut  = errors.New("the session has ended")
	errNotAllowed = errors.New("offline_access was not granted")
)

// session is one browser's sign-in at the provider.
type session struct {
	sid      string
	secret   [sha256.Size]byte // of the cookie's second half
	subject  string
	authTime time.Time
	clients  []string // who got tokens for it, and is told when it ends
}

// code is an authorization code. It stays after its use, to recognise a second one.
type code struct {
	request  authRequest
	used     bool
	replayed bool
	grant    string
}

// logout waits for a person's yes.
type logout struct {
	hinted   string // a session the request named that was not the browser's
	redirect string
	clientID string
}

// state is all the provider remembers. Every method is one transaction.
type state struct {
	now       func() time.Time
	secretKey []byte
	lifetimes Config

	mu       sync.Mutex
	requests *shelf[authRequest]
	codes    *shelf[code] // by SHA-256 of the code
	sessions *shelf[session]
	grants   *shelf[grant]
	access   *shelf[accessToken] // by jti
	logouts  *shelf[logout]
	consents map[[2]string][]string // by subject and client
}

func newState(cfg Config) *state {
	key := make([]byte, 32)
	rand.Read(key)
	return &state{
		now: cfg.Now, secretKey: key, lifetimes: cfg,
		requests: newShelf[authRequest](maxRequests),
		codes:    newShelf[code](maxCodes),
		sessions: newShelf[session](maxSessions),
		grants:   newShelf[grant](maxGrants),
		access:   newShelf[accessToken](maxAccessTokens),
		logouts:  newShelf[logout](maxLogouts),
		consents: map[[2]string][]string{},
	}
}

func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:])
}

func (s *state) addRequest(r authRequest) authRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.id = newID()
	s.requests.put(r.id, r, s.now().Add(requestLifetime), s.now())
	return r
}

func (s *state) request(id string) (authRequest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.get(id, s.now())
}

func (s *state) changeRequest(id string, edit func(*authRequest)) (authRequest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.change(id, s.now(), edit)
}

func (s *state) dropRequest(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests.take(id, s.now())
}

// saveCode turns an answered request into a code: there is one code a request.
func (s *state) saveCode(id, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	request, ok := s.requests.take(id, s.now())
	if !ok {
		return errUnknown
	}
	s.codes.put(digest(value), code{request: request}, s.now().Add(codeLifetime), s.now())
	return nil
}

// redeem uses a code up. A second use is proof that somebody else has it, and
// ends the family it gave (RFC 6749 §4.1.2).
func (s *state) redeem(value string) (authRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := digest(value)
	c, ok := s.codes.get(key, s.now())
	if !ok {
		return authRequest{}, errUnknown
	}
	if c.used {
		s.codes.change(key, s.now(), func(c *code) { c.replayed = true })
		s.grants.take(c.grant, s.now())
		return authRequest{}, errReplayed
	}
	s.codes.change(key, s.now(), func(c *code) { c.used = true })
	c.request.codeKey = key
	return c.request, nil
}

// newGrant starts a family for a redeemed request and gives its first access
// token; jti names it.
func (s *state) newGrant(r authRequest, refreshes bool) (g grant, jti string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if _, ok := s.sessions.change(r.sid, now, func(v *session) {
		if !slices.Contains(v.clients, r.clientID) {
			v.clients = append(slices.Clip(v.clients), r.clientID)
		}
	}); !ok {
		return grant{}, "", errSignedOut
	}
	g = grant{
		id: newID(), clientID: r.clientID, sid: r.sid, subject: r.subject, scopes: r.scopes, authTime: r.authTime,
		expires: now.Add(s.lifetimes.RefreshTokenLifetime), refreshes: refreshes, generation: 1,
	}
	replayed := false
	s.codes.change(r.codeKey, now, func(c *code) { c.grant, replayed = g.id, c.replayed })
	if replayed {
		return grant{}, "", errReplayed
	}
	s.grants.put(g.id, g, g.expires, now)
	return g, s.newAccessToken(g.id, g.scopes, now), nil
}

func (s *state) newAccessToken(grant string, scopes []string, now time.Time) string {
	jti := newID()
	s.access.put(jti, accessToken{grant, scopes}, now.Add(s.lifetimes.AccessTokenLifetime), now)
	return jti
}

// grantOf finds the family a refresh token belongs to. An old token kills it
// (BBA-48).
func (s *state) grantOf(token string) (grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current(token)
}

func (s *state) current(token string) (grant, error) {
	family, generation, ok := parseRefreshToken(s.secretKey, token)
	if !ok {
		return grant{}, errUnknown
	}
	g, ok := s.grants.get(family, s.now())
	if !ok {
		return grant{}, errUnknown
	}
	if generation != g.generation {
		s.grants.take(family, s.now())
		return grant{}, errReplayed
	}
	if !g.refreshes {
		return grant{}, errNotAllowed
	}
	return g, nil
}

// bind ties a family's refresh tokens to a key. Nobody has been sent one that is
// not, so it comes in time.
func (s *state) bind(family, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants.change(family, s.now(), func(g *grant) { g.key = key })
}

// rotate replaces token by its successor: check and change are one step, so
// of two callers with the same token one loses, and the family with it.
func (s *state) rotate(token string, scopes []string) (g grant, jti string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, err = s.current(token); err != nil {
		return grant{}, "", err
	}
	g, _ = s.grants.change(g.id, s.now(), func(g *grant) { g.generation++ })
	return g, s.newAccessToken(g.id, scopes, s.now()), nil
}

// accessOf finds a living access token and its grant.
func (s *state) accessOf(jti string) (accessToken, grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.access.get(jti, s.now())
	if !ok {
		return accessToken{}, grant{}, false
	}
	g, ok := s.grants.get(t.grant, s.now())
	return t, g, ok
}

func (s *state) revokeAccess(jti string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.take(jti, s.now())
}

func (s *state) grant(id string) (grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants.get(id, s.now())
}

func (s *state) revokeGrant(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.grants.take(id, s.now())
	return ok
}

func (s *state) liveGrants() []grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	var grants []grant
	for _, g := range s.grants.all(s.now()) {
		grants = append(grants, g)
	}
	return grants
}

// signIn starts a session, or confirms previous when it is of the same person.
// The cookie is new in both cases: nobody else can know it.
func (s *state) signIn(subject string, previous *session) (v session, cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	half := newID() + newID()
	fresh := func(v *session) { v.secret, v.authTime = sha256.Sum256([]byte(half)), now }
	if previous != nil && previous.subject == subject {
		if v, ok := s.sessions.change(previous.sid, now, fresh); ok {
			return v, v.sid + "." + half
		}
	}
	v = session{sid: newID(), subject: subject}
	fresh(&v)
	s.sessions.put(v.sid, v, now.Add(s.lifetimes.SessionLifetime), now)
	return v, v.sid + "." + half
}

func (s *state) session(sid, half string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.sessions.get(sid, s.now())
	sum := sha256.Sum256([]byte(half))
	if !ok || subtle.ConstantTimeCompare(sum[:], v.secret[:]) != 1 {
		return nil
	}
	return &v
}

// endSession forgets the session and every grant made in it (BBA-51).
func (s *state) endSession(sid string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, g := range s.grants.items {
		if g.value.sid == sid {
			delete(s.grants.items, id)
		}
	}
	return s.sessions.take(sid, s.now())
}

func (s *state) consent(subject, clientID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consents[[2]string{subject, clientID}]
}

func (s *state) addConsent(subject, clientID string, scopes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{subject, clientID}
	all := slices.Concat(s.consents[key], scopes)
	slices.Sort(all)
	s.consents[key] = slices.Compact(all)
}

func (s *state) addLogout(l logout) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := newID()
	s.logouts.put(id, l, s.now().Add(requestLifetime), s.now())
	return id
}

func (s *state) logout(id string) (logout, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logouts.get(id, s.now())
}

func (s *state) takeLogout(id string) (logout, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logouts.take(id, s.now())
}

// invalidGrant is the one answer to every token that is no good; why is only logged.
func invalidGrant(err error) error { return oidc.ErrInvalidGrant().WithParent(err) }
