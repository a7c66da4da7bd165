package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"cloakroom/shared"
)

// Stay uses the session, which puts off its end, and tells the other tabs.
// An absolute end is not put off: User.ExpiresIn says what came of it.
func (c *Client) Stay(ctx context.Context) (shared.User, error) {
	user, err := c.User(ctx, true)
	if err != nil {
		return shared.User{}, err
	}
	c.Tell(user.State, shared.EventSessionLasts, shared.SessionEvent{ExpiresIn: int64(user.ExpiresIn.Seconds())})
	return user, nil
}

// Sessions lists the sessions of the signed-in user, the newest first.
func (c *Client) Sessions(ctx context.Context) ([]shared.Device, error) {
	var devices []shared.Device
	if err := c.call(ctx, http.MethodGet, shared.PathSessions, nil, &devices); err != nil {
		return nil, fmt.Errorf("api: sessions: %w", err)
	}
	return devices, nil
}

// EndSession ends the session that shared.Device.Handle names. The one that
// asks may name itself: this browser is then signed out.
func (c *Client) EndSession(ctx context.Context, handle string) error {
	if err := c.call(ctx, http.MethodDelete, shared.PathSessions+"/"+url.PathEscape(handle), nil, nil); err != nil {
		return fmt.Errorf("api: end session: %w", err)
	}
	return nil
}

// EndOtherSessions ends every session of the user but the one that asks.
func (c *Client) EndOtherSessions(ctx context.Context) error {
	return c.EndSession(ctx, shared.HandleOthers)
}
