package login

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"cloakroom/bff/session"
	"cloakroom/shared/problem"
)

// A sign-in may take transactionLife. Its cookie stays a little longer, so
// that one who comes late is told so rather than "not started here".
const (
	transactionLife   = 10 * time.Minute
	transactionCookie = time.Hour
)

// maxTransactions is how many sign-ins a browser can have under way: a tab
// each. One more, and the oldest is forgotten, so that cookies never pile up.
const maxTransactions = 6

// transaction is one sign-in under way, kept in a cookie of its own.
type transaction struct {
	Pending
	ReturnURL string
	Old       string // the ticket of the session this sign-in replaces, if any
	Started   int64  // Unix seconds
}

// transactions keeps them, sealed, in the browser.
type transactions struct {
	prefix string
	plain  bool // no Secure attribute
	keys   *session.KeyRing
	now    func() time.Time
}

func newTransactions(keys *session.KeyRing, c session.Cookie, now func() time.Time) *transactions {
	return &transactions{prefix: c.Name + "-login-", plain: c.InsecurePlainHTTP, keys: keys, now: now}
}

// codecs are made anew each time: the ring may have been replaced.
func (t *transactions) codecs() []securecookie.Codec {
	return codecs(t.keys, "login transaction", transactionCookie)
}

// open remembers a sign-in. The cookie must be Lax: the way back comes from
// the provider's site.
func (t *transactions) open(w http.ResponseWriter, r *http.Request, p Pending, returnURL string, old session.Ticket) error {
	tx := transaction{Pending: p, ReturnURL: returnURL, Started: t.now().Unix()}
	if old != (session.Ticket{}) {
		tx.Old = old.Reveal()
	}
	name := t.name(p.State)
	value, err := securecookie.EncodeMulti(name, tx, t.codecs()...)
	if err != nil {
		return fmt.Errorf("login: seal the transaction: %w", err)
	}
	t.tidy(w, r)
	http.SetCookie(w, t.cookie(name, value, int(transactionCookie.Seconds())))
	return nil
}

// close takes a sign-in back, once.
func (t *transactions) close(w http.ResponseWriter, r *http.Request, state string) (transaction, error) {
	var tx transaction
	if state == "" {
		return tx, problem.New(problem.LoginStateInvalid, nil)
	}
	name := t.name(state)
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 {
		return tx, problem.New(problem.LoginStateInvalid, fmt.Errorf("%d transaction cookies", len(cookies)))
	}
	http.SetCookie(w, t.cookie(name, "", -1))
	if err := securecookie.DecodeMulti(name, cookies[0].Value, &tx, t.codecs()...); err != nil {
		return tx, problem.New(problem.LoginStateInvalid, err)
	}
	if t.now().Sub(time.Unix(tx.Started, 0)) > transactionLife {
		return tx, problem.New(problem.LoginExpired, nil)
	}
	return tx, nil
}

// tidy drops transactions that cannot be read, and the oldest so that with one
// more there are not too many. There may be many at once: tabs that a browser
// restores together begin together, and none sees the others' cookies.
func (t *transactions) tidy(w http.ResponseWriter, r *http.Request) {
	type kept struct {
		name  string
		since int64
	}
	var all []kept
	for _, cookie := range r.Cookies() {
		if !strings.HasPrefix(cookie.Name, t.prefix) {
			continue
		}
		var tx transaction
		if securecookie.DecodeMulti(cookie.Name, cookie.Value, &tx, t.codecs()...) != nil {
			http.SetCookie(w, t.cookie(cookie.Name, "", -1))
			continue
		}
		all = append(all, kept{cookie.Name, tx.Started})
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(a.since, b.since) })
	for _, old := range all[:max(0, len(all)-maxTransactions+1)] {
		http.SetCookie(w, t.cookie(old.name, "", -1))
	}
}

// clear drops every transaction the browser holds.
func (t *transactions) clear(w http.ResponseWriter, r *http.Request) {
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, t.prefix) {
			http.SetCookie(w, t.cookie(cookie.Name, "", -1))
		}
	}
}

// name gives each sign-in a cookie of its own, found again by its state.
func (t *transactions) name(state string) string {
	sum := sha256.Sum256([]byte(state))
	return t.prefix + hex.EncodeToString(sum[:8])
}

func (t *transactions) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, MaxAge: maxAge, Path: "/", Secure: !t.plain, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// codecs seal with the ring's first key and open with any.
func codecs(keys *session.KeyRing, purpose string, life time.Duration) []securecookie.Codec {
	const macKey, cipherKey = 64, 32 // HMAC-SHA-256, AES-256
	var out []securecookie.Codec
	for _, key := range keys.Derive(purpose, macKey+cipherKey) {
		codec := securecookie.New(key[:macKey], key[macKey:])
		codec.MaxAge(int(life.Seconds()))
		codec.SetSerializer(securecookie.JSONEncoder{})
		out = append(out, codec)
	}
	return out
}

// sealedText carries a text through other hands, such as a state parameter.
type sealedText struct {
	name string
	keys *session.KeyRing
}

func newSealedText(keys *session.KeyRing, name string) *sealedText {
	return &sealedText{name, keys}
}

func (s *sealedText) seal(text string) (string, error) {
	return securecookie.EncodeMulti(s.name, text, codecs(s.keys, s.name, transactionCookie)...)
}

func (s *sealedText) open(sealed string) (text string, ok bool) {
	err := securecookie.DecodeMulti(s.name, sealed, &text, codecs(s.keys, s.name, transactionCookie)...)
	return text, err == nil
}
