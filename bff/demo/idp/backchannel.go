package idp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// backChannelTimeout bounds how long a client that hangs can delay a logout.
	backChannelTimeout  = 5 * time.Second
	logoutTokenLifetime = 2 * time.Minute
	logoutEvent         = "http://schemas.openid.net/event/backchannel-logout"
)

// notify tells every client that had tokens for the session, at once, and
// waits for all of them. The browser's leaving does not stop it.
func (p *Provider) notify(ctx context.Context, s session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backChannelTimeout)
	defer cancel()
	var deliveries sync.WaitGroup
	for _, id := range s.clients {
		client := p.clients[id]
		if client == nil || client.BackChannelLogoutURI == "" {
			continue
		}
		deliveries.Go(func() {
			if err := p.deliver(ctx, client, s); err != nil {
				p.cfg.Log.WarnContext(ctx, "back-channel logout failed", "client_id", client.ID, "error", err)
			}
		})
	}
	deliveries.Wait()
}

// deliver is OIDC Back-Channel Logout 1.0 §2.5.
func (p *Provider) deliver(ctx context.Context, c *client, s session) error {
	now := p.cfg.Now()
	token, err := p.keys.sign(typeLogoutToken, map[string]any{ // §2.4
		"iss": p.cfg.Issuer, "aud": c.ID, "sub": s.subject, "sid": s.sid, "jti": newID(),
		"iat": now.Unix(), "exp": now.Add(logoutTokenLifetime).Unix(),
		"events": map[string]any{logoutEvent: struct{}{}},
	})
	if err != nil {
		return err
	}
	p.issued(KindLogout, token)
	form := url.Values{"logout_token": {token}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackChannelLogoutURI, strings.NewReader(form))
	if err != nil {
		return fmt.Errorf("idp: make logout request: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := p.cfg.HTTPClient.Do(request)
	if err != nil {
		return fmt.Errorf("idp: send logout request: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody))
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("idp: send logout request: answered %d", response.StatusCode)
	}
	return nil
}
