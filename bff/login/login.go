package login

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"cloakroom/bff/events"
	"cloakroom/bff/guard"
	"cloakroom/bff/respond"
	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// AuthRequest is what a sign-in asks of the provider, as it stands in the
// address; "" asks for nothing. The provider checks it.
type AuthRequest struct{ Prompt, MaxAge, ACRValues string }

// Pending is what must be remembered between the way to the provider and the
// way back: what ties the two together, and what was asked for.
type Pending struct {
	State, Nonce, Verifier string

	Silent            bool   `json:",omitempty"`
	MaxAge, ACRValues string `json:",omitempty"`
}

// Provider is the OpenID Provider as sign-in and sign-out need it. Its errors
// carry their problem code.
type Provider interface {
	// Begin returns where to send the browser.
	Begin(ctx context.Context, request AuthRequest) (redirect string, pending Pending, err error)
	// Redeem turns the query of the callback into a session. Its error is
	// problem.LoginNotSilent when nobody was to be asked and somebody would
	// have to be.
	Redeem(ctx context.Context, pending Pending, query url.Values) (session.Session, error)
	// Revoke makes the tokens useless, as far as the provider can.
	Revoke(ctx context.Context, tokens session.Tokens) error
	// EndSessionURL is where the user signs out of the provider; false if
	// there is no such place. The provider gives state back afterwards.
	EndSessionURL(idToken secret.String, state string) (string, bool)
}

// Config of the endpoints.
type Config struct {
	Desk session.Desk
	// Cookie says how the cookies of a sign-in under way travel; their names
	// begin with its.
	Cookie   session.Cookie
	Provider Provider
	Logouts  LogoutVerifier
	Keys     *session.KeyRing
	// Address is where a request came from; nil: nobody knows.
	Address func(*http.Request) netip.Addr
	// Events knows when sessions end.
	Events *events.Hub
	// StoreName is what /bff/inspect calls the store.
	StoreName string
	// Observe is told every sign-in ("signed_in" or a problem code) and
	// sign-out ("signed_out", "ended_by_user", "ended_by_provider").
	Observe func(outcome string)
	Log     *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Endpoints are the handlers of this package.
type Endpoints struct {
	config       Config
	transactions *transactions
	signedOut    *sealedText
	tabs         tabs
}

// New checks the config.
func New(c Config) (*Endpoints, error) {
	if c.Desk.Sessions == nil || c.Desk.Browser == nil || c.Cookie.Name == "" || c.Provider == nil || c.Logouts == nil || c.Keys == nil || c.Events == nil {
		return nil, errors.New("login: a desk, a provider, keys and events are needed")
	}
	if c.Address == nil {
		c.Address = func(*http.Request) netip.Addr { return netip.Addr{} }
	}
	if c.Observe == nil {
		c.Observe = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Endpoints{config: c, transactions: newTransactions(c.Keys, c.Cookie, c.Now), signedOut: newSealedText(c.Keys, "signed-out")}, nil
}

// Login starts a sign-in: GET /bff/login?returnUrl=/path&prompt=&max_age=&acr_values=.
func (e *Endpoints) Login(w http.ResponseWriter, r *http.Request) error {
	query, err := guard.Params(r, shared.ParamReturnURL, shared.ParamPrompt, shared.ParamMaxAge, shared.ParamACRValues)
	if err != nil {
		return err
	}
	returnURL, err := guard.ReturnURL(query[shared.ParamReturnURL])
	if err != nil {
		return err
	}
	redirect, pending, err := e.config.Provider.Begin(r.Context(), AuthRequest{
		Prompt: query[shared.ParamPrompt], MaxAge: query[shared.ParamMaxAge], ACRValues: query[shared.ParamACRValues],
	})
	if err != nil {
		e.config.Observe(string(problem.CodeOf(err)))
		return err
	}
	// This navigation still carries the Strict cookie; the callback, which
	// comes from the provider's site, will not.
	old, _ := e.config.Desk.Browser.Ticket(r)
	if err := e.transactions.open(w, r, pending, returnURL, old); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, redirect, http.StatusSeeOther)
	return nil
}

// retireGrace is how long the session that a new sign-in replaces still
// answers calls that were under way.
const retireGrace = 30 * time.Second

// Callback ends a sign-in: the provider sends the browser here.
func (e *Endpoints) Callback(w http.ResponseWriter, r *http.Request) error {
	outcome, err := "signed_in", e.callback(w, r)
	if err != nil {
		outcome = string(problem.CodeOf(err))
	}
	e.config.Observe(outcome)
	if outcome == string(problem.LoginNotSilent) {
		return nil // an answer, not a failure: the browser is on its way back already
	}
	return err
}

func (e *Endpoints) callback(w http.ResponseWriter, r *http.Request) error {
	query, err := guard.Params(r, "state", "code", "iss", "error")
	if err != nil {
		return err
	}
	tx, err := e.transactions.close(w, r, query["state"])
	if err != nil {
		return err
	}
	// From here on a code is spent and tokens exist: finish even if the
	// browser hangs up, or they would be nobody's.
	ctx := context.WithoutCancel(r.Context())
	s, err := e.config.Provider.Redeem(ctx, tx.Pending, r.URL.Query())
	if problem.CodeOf(err) == problem.LoginNotSilent {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, tx.ReturnURL, http.StatusSeeOther)
	}
	if err != nil {
		return err
	}
	s.Device = e.device(r)
	ticket, err := e.config.Desk.Sessions.Create(ctx, s) // a new ID at every sign-in (session fixation, RFC 6265 §8.4)
	if err != nil {
		e.revoke(ctx, s.Tokens)
		return notKept(err)
	}
	if err := e.stillSignedIn(ctx, ticket, s); err != nil {
		return err
	}
	e.retire(ctx, tx.Old)
	e.config.Log.LogAttrs(ctx, slog.LevelInfo, "signed in", slog.String("session", ticket.ID().Fingerprint()))
	if err := e.config.Desk.Browser.Give(w, r, ticket); err != nil {
		e.revokeAll(ctx, s)
		return errors.Join(notKept(err), e.config.Desk.Sessions.Delete(ctx, ticket))
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, tx.ReturnURL, http.StatusSeeOther)
	return nil
}

// notKept names why a new session has no home.
func notKept(err error) error {
	if errors.Is(err, session.ErrTooLarge) {
		return problem.New(problem.SessionTooLarge, err)
	}
	return problem.New(problem.StoreUnavailable, err)
}

// stillSignedIn ends a session whose user was signed out at the provider while
// it was being made.
func (e *Endpoints) stillSignedIn(ctx context.Context, ticket session.Ticket, s session.Session) error {
	over, err := e.config.Desk.Board().Noted(ctx, session.FactEndedSID, s.Issuer, s.SID)
	if !over && err == nil {
		return nil
	}
	e.revokeAll(ctx, s)
	code := problem.SessionEnded
	if err != nil {
		code = problem.StoreUnavailable
	}
	return problem.New(code, errors.Join(err, e.config.Desk.Sessions.Delete(ctx, ticket)))
}

// retire lets the session this sign-in replaces run out. Its tokens are not
// revoked: at some providers that would end the user's session there, which
// the new tokens share.
func (e *Endpoints) retire(ctx context.Context, old string) {
	ticket, err := session.ParseTicket(old)
	if err != nil {
		return
	}
	if err := e.config.Desk.Sessions.Retire(ctx, ticket, retireGrace); err != nil {
		e.config.Log.LogAttrs(ctx, slog.LevelWarn, "retiring the former session failed",
			slog.String("session", ticket.ID().Fingerprint()), slog.String("cause", err.Error()))
	}
}

// revokeTimeout bounds how long a sign-out waits for the provider.
const revokeTimeout = 3 * time.Second

func (e *Endpoints) revoke(ctx context.Context, tokens session.Tokens) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := e.config.Provider.Revoke(ctx, tokens); err != nil {
		e.config.Log.LogAttrs(ctx, slog.LevelWarn, "revoking tokens failed", slog.String("cause", err.Error()))
	}
}

var _ respond.Func = (*Endpoints)(nil).Login
