package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"cloakroom/bff/session"
	"cloakroom/shared/problem"
)

// LogoutToken is what a provider says of a session that it ended: the sessions
// of SID if it names one, else all of Subject (Back-Channel Logout §2.4).
type LogoutToken struct {
	Issuer, Subject, SID, ID string
	IssuedAt, Expires        time.Time
}

// LogoutVerifier checks logout tokens. Its errors carry their problem code.
type LogoutVerifier interface {
	VerifyLogoutToken(ctx context.Context, raw string) (LogoutToken, error)
}

// A logout token is a JWT of a few claims, and sent by a server.
const (
	maxBackchannelBody = 64 << 10
	bodyTimeout        = 10 * time.Second
)

// factLogoutToken is the fact that a logout token, named by issuer and jti, was
// used.
const factLogoutToken = "logout token"

// Backchannel ends the sessions that the provider says are over:
// POST /bff/backchannel with a logout_token (Back-Channel Logout §2.5 to §2.8).
// Its answer is 200 without a body; 400 when the token is refused, 503 when the
// provider should try again.
func (e *Endpoints) Backchannel(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store") // §2.8
	raw, err := logoutToken(w, r)
	if err != nil {
		return err
	}
	token, err := e.config.Logouts.VerifyLogoutToken(r.Context(), raw)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context()) // half a sign-out is none
	n, err := e.endAtProvider(ctx, token)
	if err != nil {
		return err
	}
	e.config.Observe("ended_by_provider")
	e.config.Log.LogAttrs(ctx, slog.LevelInfo, "sessions ended by the provider", slog.Int("count", n))
	w.WriteHeader(http.StatusOK)
	return nil
}

// logoutToken reads the one parameter. The query does not count: it is logged
// on the way.
func logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return "", problem.New(problem.BadRequest, errors.New("login: not a form")).WithDetail("send a form")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBackchannelBody)
	// Anyone may send here. A body that does not come would hold the connection
	// for ever; once it failed, what is left of it is not waited for either.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout))
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return "", problem.New(problem.RequestTooLarge, nil)
		}
		return "", problem.New(problem.BadRequest, errors.New("login: malformed form"))
	}
	_ = rc.SetReadDeadline(time.Time{})
	switch values := r.PostForm["logout_token"]; len(values) {
	case 1:
		return values[0], nil
	case 0:
		return "", problem.New(problem.LogoutTokenInvalid, errors.New("login: no logout_token")).WithDetail("logout_token is missing")
	}
	return "", problem.New(problem.ParameterDuplicated, nil)
}

// endAtProvider does what a verified token says. The token counts as used once
// its work is done: one that met a store that is down may come again.
func (e *Endpoints) endAtProvider(ctx context.Context, token LogoutToken) (ended int, err error) {
	sessions, notes := e.config.Desk.Sessions, e.config.Desk.Board()
	if token.SID == "" && e.config.Desk.Sessions.Scattered() {
		return 0, problem.New(problem.LogoutTokenInvalid, nil).WithDetail("sessions can be ended here by sid only")
	}
	used, err := notes.Noted(ctx, factLogoutToken, token.Issuer, token.ID)
	if err != nil {
		return 0, problem.New(problem.StoreUnavailable, err)
	}
	if used { // §2.6 step 8: a replay would end the sessions that came after
		return 0, problem.New(problem.LogoutTokenReplayed, nil)
	}
	if token.SID != "" {
		// A sign-in under this sid may be under way. It looks for this fact when
		// its session is made, so that one of the two sees the other.
		_, err = notes.Note(ctx, e.config.Now().Add(transactionLife), session.FactEndedSID, token.Issuer, token.SID)
		if err == nil {
			ended, err = sessions.EndSID(ctx, token.Issuer, token.SID)
		}
	} else {
		ended, err = sessions.EndSubject(ctx, token.Issuer, token.Subject)
	}
	if err == nil {
		_, err = notes.Note(ctx, token.Expires.Add(logoutTokenSlack), factLogoutToken, token.Issuer, token.ID)
	}
	if err != nil {
		return ended, problem.New(problem.StoreUnavailable, fmt.Errorf("login: backchannel: %w", err))
	}
	return ended, nil
}

// logoutTokenSlack is how long after its end a used token is remembered: more
// than any clock may be off.
const logoutTokenSlack = 10 * time.Minute
