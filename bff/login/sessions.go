package login

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"cloakroom/bff/guard"
	"cloakroom/bff/session"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Sessions lists the user's sessions, this one and those on other devices:
// GET /bff/sessions. It never slides the session.
func (e *Endpoints) Sessions(w http.ResponseWriter, r *http.Request) error {
	if _, err := guard.Params(r); err != nil {
		return err
	}
	ticket, s, err := e.config.Desk.Admit(r)
	if err != nil {
		return err
	}
	list, err := e.listed(r.Context(), ticket, s)
	if err != nil {
		return err
	}
	devices := make([]shared.Device, 0, len(list))
	for _, l := range list {
		devices = append(devices, shared.Device{
			Handle: l.Handle, Current: l.ID == ticket.ID(), UserAgent: l.Device.UserAgent, Address: l.Device.Address,
			Created: l.Created.Unix(), LastSeen: l.LastSeen.Unix(), Expires: l.Expires.Unix(),
		})
	}
	return writeJSON(w, devices)
}

// listed are the sessions of a user, as far as they can be found.
func (e *Endpoints) listed(ctx context.Context, ticket session.Ticket, s session.Session) ([]session.Listing, error) {
	if e.config.Desk.Sessions.Scattered() {
		return []session.Listing{e.config.Desk.Sessions.Listed(ticket, &s)}, nil
	}
	list, err := e.config.Desk.Sessions.OfSubject(ctx, s.Issuer, s.Subject)
	if err != nil {
		return nil, problem.New(problem.StoreUnavailable, err)
	}
	return list, nil
}

// EndSession ends one of the user's sessions, or all but this one:
// DELETE /bff/sessions/{handle}, or /bff/sessions/others.
func (e *Endpoints) EndSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := guard.Params(r); err != nil {
		return err
	}
	ticket, s, err := e.config.Desk.Admit(r)
	if err != nil {
		return err
	}
	list, err := e.listed(r.Context(), ticket, s)
	if err != nil {
		return err
	}
	handle := r.PathValue("handle")
	chosen := list[:0]
	for _, l := range list {
		if l.Handle == handle || handle == shared.HandleOthers && l.ID != ticket.ID() {
			chosen = append(chosen, l)
		}
	}
	if len(chosen) == 0 && handle != shared.HandleOthers {
		return problem.New(problem.SessionUnknown, nil)
	}
	ctx := context.WithoutCancel(r.Context()) // whoever closes the page meant it all the same
	var failed []error
	for _, l := range chosen {
		if l.ID == ticket.ID() {
			if err := e.signOut(w, r, ticket, s); err != nil {
				return err
			}
			continue
		}
		if err := e.config.Desk.Sessions.EndListed(ctx, l); err != nil {
			failed = append(failed, err) // one that cannot be ended keeps none of the others
			continue
		}
		e.config.Observe("ended_by_user")
		e.config.Log.LogAttrs(ctx, slog.LevelInfo, "session ended by its user",
			slog.String("session", l.ID.Fingerprint()), slog.String("from", ticket.ID().Fingerprint()))
	}
	if len(failed) > 0 {
		return problem.New(problem.StoreUnavailable, errors.Join(failed...))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// signOut ends the session of the browser that asks, here and, as far as it can
// be told, at the provider, even if the browser does not wait for it. The session
// goes first: nothing in flight brings it back.
func (e *Endpoints) signOut(w http.ResponseWriter, r *http.Request, ticket session.Ticket, s session.Session) error {
	ctx := context.WithoutCancel(r.Context())
	if err := e.config.Desk.Sessions.Delete(ctx, ticket); err != nil {
		return problem.New(problem.StoreUnavailable, err)
	}
	e.config.Observe("signed_out")
	e.config.Log.LogAttrs(ctx, slog.LevelInfo, "signed out", slog.String("session", ticket.ID().Fingerprint()))
	e.clear(w, r)
	e.revokeAll(ctx, s)
	return nil
}

// revokeAll makes every token of an ended session useless, all at once: a
// provider that does not answer takes its time from each.
func (e *Endpoints) revokeAll(ctx context.Context, s session.Session) {
	var all sync.WaitGroup
	all.Go(func() { e.revoke(ctx, s.Tokens) })
	for _, grant := range s.Grants {
		all.Go(func() { e.revoke(ctx, session.Tokens{Access: grant.Access, Key: s.Tokens.Key}) })
	}
	all.Wait()
}

// maxUserAgent bounds what is kept of a browser's name for itself, in bytes.
const maxUserAgent = 256

// device is where r comes from, as far as its user will see it again: the
// network is enough to recognise a place, and no log of where somebody was.
func (e *Endpoints) device(r *http.Request) session.Device {
	name := r.UserAgent()
	name = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' { // RFC 9110 §10.1.5 names no other characters
			return -1
		}
		return c
	}, name[:min(len(name), maxUserAgent)])
	return session.Device{UserAgent: name, Address: network(e.config.Address(r))}
}

// network is the part of an address that names a place and not a host: 24 bits
// of IPv4, 48 of IPv6.
func network(a netip.Addr) string {
	bits := 48
	if a.Is4() {
		bits = 24
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}
