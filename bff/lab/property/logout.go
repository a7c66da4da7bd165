package property

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// afterwards is what copies were good for once their owner had signed out.
type afterwards struct {
	useful    bool // the copied call was answered before the sign-out
	here      bool // it was after, too
	elsewhere bool // or by another instance
	renewed   bool // the provider renews what the copies have or lead to
	expires   time.Duration
	lasts     time.Duration // what is renewed
}

// judge puts it into a word and a number.
func (a afterwards) judge(m *lab.Measure) {
	accepted := a.here || a.elsewhere
	where := ""
	if !a.here && a.elsewhere {
		where = "at once where it ended, elsewhere "
	}
	switch {
	case a.renewed:
		is(m, a.lasts.Seconds(), "%suntil the refresh token expires", where)
	case !a.useful:
		is(m, 0, "a copy is of no use")
	case accepted:
		is(m, a.expires.Seconds(), "%suntil the access token expires", where)
	default:
		is(m, 0, "at once")
	}
}

// logout copies the page's next call, with all that it brings, and the refresh
// token if that is the browser's; signs the victim out; and has a client of its
// own use the copies, as an attacker would.
func (s *subject) logout(ctx context.Context, m *lab.Measure) error {
	if err := attack.SignIn(ctx, s.browser, s.world, s.strategy); err != nil {
		return err
	}
	s.in = true
	tokens := s.world.Issued()
	copied, ok := s.world.LastCall(s.strategy.ID)
	if !ok {
		return fmt.Errorf("property: the page made no call")
	}
	before, err := s.resend(ctx, copied)
	if err != nil {
		return err
	}
	found := afterwards{useful: before == http.StatusOK, expires: expiry(tokens.Access), lasts: strategy.RefreshTokenLifetime}
	note(m, "a client of its own sent a copy of the page's call, credentials and all: %d", before)
	if err := attack.SignOut(ctx, s.browser, s.world, s.strategy); err != nil {
		return err
	}
	s.in = false
	after, err := s.resend(ctx, copied)
	if err != nil {
		return err
	}
	found.here = after == http.StatusOK
	note(m, "the victim signed out by the page's button; the same copy was answered %d", after)
	if !s.strategy.TokensInPage {
		if found.elsewhere, err = s.elsewhere(ctx, m, copied); err != nil {
			return err
		}
	}
	// Whose browser has the refresh token, or a cookie that stands for it?
	if s.strategy.Public || !s.strategy.TokensInPage && (found.here || found.elsewhere) {
		status, err := s.renew(ctx, tokens.Refresh)
		if err != nil {
			return err
		}
		found.renewed = status == http.StatusOK
		note(m, "the refresh token of that sign-in was answered %d by the provider", status)
	}
	found.judge(m)
	return nil
}

func (s *subject) elsewhere(ctx context.Context, m *lab.Measure, copied strategy.Call) (bool, error) {
	back, err := s.world.Another(s.strategy)
	if err != nil {
		return false, err
	}
	defer back()
	status, err := s.resend(ctx, copied)
	note(m, "another instance of the application's server answered it %d", status)
	return status == http.StatusOK, err
}

// resend sends a copy of a call and returns what is answered.
func (s *subject) resend(ctx context.Context, c strategy.Call) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, c.Method, c.URL, nil)
	if err != nil {
		return 0, fmt.Errorf("property: resend: %w", err)
	}
	r.Header = c.Header.Clone()
	return send(s.world.Transport(), r)
}

// renew asks for new tokens as the application would: with its secret, where it
// has one.
func (s *subject) renew(ctx context.Context, refresh string) (status int, err error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {s.world.ClientID(s.strategy.ID)}}
	if secret := s.world.Secret(s.strategy.ID); secret != "" {
		form.Set("client_secret", secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.world.Issuer()+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, fmt.Errorf("property: renew: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(s.world.Transport(), r)
}

// send uses a transport for one request.
func send(transport *http.Transport, r *http.Request) (status int, err error) {
	defer transport.CloseIdleConnections()
	return exchange(transport, r)
}

// exchange sends a request and reads what is answered to its end.
func exchange(transport *http.Transport, r *http.Request) (status int, err error) {
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, fmt.Errorf("property: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, fmt.Errorf("property: %w", err)
	}
	return resp.StatusCode, nil
}

// expiry is how long a JWT is good from now on; 0 if it is none.
func expiry(token string) time.Duration {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Expires == 0 {
		return 0
	}
	return time.Until(time.Unix(claims.Expires, 0)).Round(time.Second)
}
