package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// The demo's orders behind the BFF's route table.
const pathOrders = "/api/orders"

const typeJSON = "application/json"

// maxAnswer bounds what is read of one answer, in bytes: the longest page of
// orders is far below it.
const maxAnswer = 1 << 20

// timeout bounds one call, headers and body together.
const timeout = 20 * time.Second

// Client calls the BFF. Make one with New; it is safe for concurrent use.
type Client struct {
	base  string
	pause func(tries int) time.Duration // before the stream is tried again
}

// New returns a client of the BFF at base, an origin without a trailing slash.
// In a browser base is "": the origin of the page.
func New(base string) *Client { return &Client{base: base, pause: pause} }

// LoginURL is where to send the browser to sign in and come back to path, a
// local path with its query.
func LoginURL(path string) string {
	return shared.PathLogin + "?" + url.Values{shared.ParamReturnURL: {path}}.Encode()
}

// User asks who is signed in. With slide false the question does not count as
// use: it does not put off the session's idle expiry. Nobody there is ErrSignedOut.
func (c *Client) User(ctx context.Context, slide bool) (shared.User, error) {
	path := shared.PathUser
	if !slide {
		path += "?" + shared.ParamSlide + "=false"
	}
	var claims []shared.Claim
	if err := c.call(ctx, http.MethodGet, path, nil, &claims); err != nil {
		return shared.User{}, fmt.Errorf("api: user: %w", err)
	}
	return userOf(claims), nil
}

// Inspect asks what the server holds for this session, described without any of it.
func (c *Client) Inspect(ctx context.Context) (shared.Holdings, error) {
	var held shared.Holdings
	if err := c.call(ctx, http.MethodGet, shared.PathInspect, nil, &held); err != nil {
		return shared.Holdings{}, fmt.Errorf("api: inspect: %w", err)
	}
	return held, nil
}

// Orders asks for up to limit orders, newest first, from offset on.
func (c *Client) Orders(ctx context.Context, offset, limit int) (shared.OrderPage, error) {
	query := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(limit)}}
	var page shared.OrderPage
	if err := c.call(ctx, http.MethodGet, pathOrders+"?"+query.Encode(), nil, &page); err != nil {
		return shared.OrderPage{}, fmt.Errorf("api: orders: %w", err)
	}
	return page, nil
}

// AddOrder places an order and returns it as the API keeps it.
func (c *Client) AddOrder(ctx context.Context, order shared.NewOrder) (shared.Order, error) {
	var added shared.Order
	if err := c.call(ctx, http.MethodPost, pathOrders, order, &added); err != nil {
		return shared.Order{}, fmt.Errorf("api: add order: %w", err)
	}
	return added, nil
}

// DeleteOrder withdraws an order.
func (c *Client) DeleteOrder(ctx context.Context, id string) error {
	if err := c.call(ctx, http.MethodDelete, pathOrders+"/"+url.PathEscape(id), nil, nil); err != nil {
		return fmt.Errorf("api: delete order: %w", err)
	}
	return nil
}

// call sends in, if not nil, as JSON and reads the answer into out, if not nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	r := request{method: method, url: c.base + path, header: map[string]string{
		"Accept":          typeJSON + ", " + problem.ContentType,
		shared.HeaderCSRF: shared.ValueCSRF, // on every call, reads too (BBA-31)
	}}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		r.body, r.header["Content-Type"] = body, typeJSON
	}
	return exchange(ctx, r, out)
}

// exchange sends r and reads the answer into out, if not nil.
func exchange(ctx context.Context, r request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	got, err := fetch(ctx, r)
	if err != nil {
		return &Error{Err: err}
	}
	switch {
	case len(got.body) > r.limit():
		return unexpected(got.status, errors.New("the answer is too long"))
	case got.status < 200 || got.status > 299:
		return refused(got)
	case out == nil:
		return nil
	case !got.isType(typeJSON):
		return unexpected(got.status, fmt.Errorf("content type %q", got.contentType))
	}
	if err := json.Unmarshal(got.body, out); err != nil {
		return unexpected(got.status, err)
	}
	return nil
}
