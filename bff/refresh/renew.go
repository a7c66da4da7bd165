package refresh

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"cloakroom/bff/session"
	"cloakroom/shared/problem"
)

// renew returns the session with a usable token, by whoever's request.
func (r *Refresher) renew(ctx context.Context, t session.Ticket, need Need, seen int) (session.Session, error) {
	s, mine, err := r.take(ctx, t, need)
	if err != nil {
		return session.Session{}, err
	}
	if mine.holder == "" {
		if s.Refreshes != seen {
			r.config.Observe("shared")
		}
		return s, nil
	}
	if s.Tokens.Refresh.Empty() {
		if need.isOther() {
			r.release(ctx, t, mine)
			return session.Session{}, problem.New(problem.TokenUnavailable, errors.New("refresh: no refresh token to ask with"))
		}
		return session.Session{}, r.end(ctx, t, "no refresh token")
	}
	// The wait for others had the time of ctx. A request that is cut may have spent
	// the refresh token all the same, so it has time of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Timeout)
	defer cancel()
	holding, letGo := context.WithCancel(context.WithoutCancel(ctx))
	r.running.Go(func() { r.hold(holding, t, mine) })
	kept, err := r.spend(ctx, t, need, s, mine)
	if errors.Is(err, errNotKept) {
		return session.Session{}, r.rescue(ctx, t, need, mine, kept.Tokens, err, letGo)
	}
	letGo()
	return kept, err
}

// spend makes the token request and keeps its result. On errNotKept the result
// is in the session returned.
func (r *Refresher) spend(ctx context.Context, t session.Ticket, need Need, s session.Session, mine turn) (session.Session, error) {
	tokens, err := r.request(ctx, s.Tokens, need)
	switch {
	case errors.Is(err, ErrDead):
		return r.refused(ctx, t, need, mine)
	case err != nil:
		r.config.Observe("failed")
		r.config.Log.LogAttrs(ctx, slog.LevelWarn, "refresh failed", slog.String("session", t.ID().Fingerprint()), slog.String("cause", err.Error()))
		r.release(ctx, t, mine)
		return session.Session{}, err
	}
	kept, err := r.keep(ctx, t, need, mine, tokens)
	if errors.Is(err, errNotKept) {
		kept.Tokens = tokens
	}
	return kept, err
}

// A request that the provider refused for a reason of its own is made again
// after these pauses: to wait with a session that needs its token gains nothing.
var retries = []time.Duration{100 * time.Millisecond, 500 * time.Millisecond}

func (r *Refresher) request(ctx context.Context, held session.Tokens, need Need) (tokens session.Tokens, err error) {
	for attempt := 0; ; attempt++ {
		tokens, err = r.config.Provider.Refresh(ctx, held, need)
		// After a timeout the first request may still be under way: a second
		// would be taken for the replay of a stolen token (RFC 9700 §4.14.2).
		code := problem.CodeOf(err)
		if err == nil || errors.Is(err, ErrDead) || attempt == len(retries) ||
			code != problem.ProviderError && code != problem.ProviderUnavailable {
			return tokens, err
		}
		if sleep(ctx, retries[attempt]) != nil {
			return tokens, err
		}
	}
}

var (
	// errNotKept says that the store did not take a result.
	errNotKept = errors.New("refresh: the new tokens are not stored")
	// errOvertaken says that another's result was kept since the turn began.
	errOvertaken = errors.New("refresh: another renewal was kept")
)

// keep stores what a token request brought, and gives the lease back.
func (r *Refresher) keep(ctx context.Context, t session.Ticket, need Need, mine turn, tokens session.Tokens) (session.Session, error) {
	kept, err := r.config.Sessions.Update(ctx, t, func(s *session.Session) error {
		if s.Refreshes != mine.count {
			return errOvertaken
		}
		put(s, need, tokens, r.config.Now())
		s.Refreshes++
		s.Lease = session.Lease{}
		return nil
	})
	switch {
	case err == nil:
		r.config.Observe("renewed")
		return kept, nil
	case errors.Is(err, session.ErrNotFound):
		// The user signed out meanwhile. The logout revoked the old tokens; it
		// could not know the new ones.
		r.config.Observe("ended")
		if err := r.config.Provider.Revoke(ctx, tokens); err != nil {
			r.config.Log.LogAttrs(ctx, slog.LevelWarn, "revoking tokens of an ended session failed", slog.String("cause", err.Error()))
		}
		return session.Session{}, storeProblem(err)
	case errors.Is(err, errOvertaken):
		r.config.Observe("shared")
		return r.reload(ctx, t)
	case errors.Is(err, session.ErrTooLarge):
		// No patience helps: the tokens have grown beyond what the store takes, and
		// those that it has are spent.
		if err := r.config.Provider.Revoke(ctx, tokens); err != nil {
			r.config.Log.LogAttrs(ctx, slog.LevelWarn, "revoking tokens that cannot be kept failed", slog.String("cause", err.Error()))
		}
		return session.Session{}, r.end(ctx, t, "the new tokens are too large to keep")
	}
	return session.Session{}, problem.New(problem.StoreUnavailable, errors.Join(errNotKept, err))
}

// put writes the tokens into the session: the access token where need has its
// place, all else where it always is.
func put(s *session.Session, need Need, tokens session.Tokens, now time.Time) {
	if tokens.Key.Reveal() != s.Tokens.Key.Reveal() {
		// Binding was switched on or off since: what is bound otherwise must not be
		// sent any more.
		s.Grants, s.Tokens.AccessExpires = nil, now
	}
	if !need.isOther() {
		s.Tokens, s.Renewed = tokens, now
		return
	}
	s.Tokens.Refresh, s.Tokens.RefreshExpires, s.Tokens.ID, s.Tokens.Key = tokens.Refresh, tokens.RefreshExpires, tokens.ID, tokens.Key
	grant := session.Grant{
		Resource: need.Resource, Scopes: slices.Clone(need.Scopes), Access: tokens.Access, Since: now, Expires: tokens.AccessExpires,
	}
	s.Grants = append(slices.DeleteFunc(slices.Clone(s.Grants), func(g session.Grant) bool {
		return g.Is(need.Resource, need.Scopes)
	}), grant)
}

// rescue goes on offering a result to a store that did not take it: the
// provider has retired the refresh token that is stored. It holds the lease
// meanwhile, as far as the store lets it.
func (r *Refresher) rescue(ctx context.Context, t session.Ticket, need Need, mine turn, tokens session.Tokens, cause error, letGo func()) error {
	r.config.Log.LogAttrs(ctx, slog.LevelError, "renewed tokens could not be stored, trying on",
		slog.String("session", t.ID().Fingerprint()), slog.String("cause", cause.Error()))
	r.running.Go(func() {
		defer letGo()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Rescue)
		defer cancel()
		for wait := leastWait; ; wait = min(2*wait, time.Second) {
			if sleep(ctx, wait) != nil {
				r.config.Log.LogAttrs(ctx, slog.LevelError, "renewed tokens are lost", slog.String("session", t.ID().Fingerprint()))
				return
			}
			if _, err := r.keep(ctx, t, need, mine, tokens); !errors.Is(err, errNotKept) {
				return
			}
		}
	})
	return cause
}

// refused decides what a dead refresh token means: nothing if another instance
// rotated it away in the meantime, or has the turn and is about to keep what it
// was given for it; else the end of the session (BBA-9).
func (r *Refresher) refused(ctx context.Context, t session.Ticket, need Need, mine turn) (session.Session, error) {
	now, err := r.reload(ctx, t)
	if err != nil {
		return session.Session{}, err
	}
	if now.Refreshes != mine.count {
		r.config.Observe("shared")
		return now, nil
	}
	if holder := now.Lease.Holder; holder != "" && holder != mine.holder { // ours was thought abandoned
		return r.renew(ctx, t, need, mine.count)
	}
	return session.Session{}, r.end(ctx, t, "invalid_grant")
}

func (r *Refresher) reload(ctx context.Context, t session.Ticket) (session.Session, error) {
	r.config.Sessions.Outdate(t)
	s, err := r.config.Sessions.Load(ctx, t)
	if err != nil {
		return session.Session{}, storeProblem(err)
	}
	return s, nil
}

func (r *Refresher) end(ctx context.Context, t session.Ticket, why string) error {
	r.config.Observe("dead")
	r.config.Log.LogAttrs(ctx, slog.LevelInfo, "session ended", slog.String("session", t.ID().Fingerprint()), slog.String("why", why))
	if err := r.config.Sessions.Delete(ctx, t); err != nil {
		return storeProblem(err)
	}
	return problem.New(problem.SessionEnded, ErrDead)
}
