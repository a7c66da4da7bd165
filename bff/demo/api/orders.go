package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// maxOrderBody bounds the body of POST /orders, in bytes: the longest item,
// fully escaped, fits several times.
const maxOrderBody = 4 << 10

func (a *API) listOrders(w http.ResponseWriter, r *http.Request, t *accessToken) error {
	offset, limit, err := parsePage(r.URL.RawQuery)
	if err != nil {
		return err
	}
	orders, total := a.orders.page(t.subject, offset, limit)
	return writeJSON(w, http.StatusOK, shared.OrderPage{Orders: orders, Offset: offset, Limit: limit, Total: total})
}

func (a *API) showOrder(w http.ResponseWriter, r *http.Request, t *accessToken) error {
	order, err := a.orders.find(t.subject, r.PathValue("id"))
	if err != nil {
		return problem.New(problem.NotFound, err)
	}
	return writeJSON(w, http.StatusOK, order)
}

func (a *API) placeOrder(w http.ResponseWriter, r *http.Request, t *accessToken) error {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return problem.New(problem.BadRequest, errors.New("api: the content type is not application/json")).
			WithDetail("The content type must be application/json.")
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, maxOrderBody))
	if err != nil {
		return err
	}
	wanted, err := parseNewOrder(body)
	if err != nil {
		return err
	}
	order, err := a.orders.add(t.subject, wanted, a.cfg.Now())
	if err != nil {
		return problem.New(problem.OrderInvalid, err).WithDetail(fmt.Sprintf("Nobody may have more than %d orders.", maxOrders))
	}
	// Relative to the request (RFC 9110 §10.2.2): right behind a proxy that
	// changes the prefix, too.
	w.Header().Set("Location", "orders/"+order.ID)
	return writeJSON(w, http.StatusCreated, order)
}

// cancelOrder answers for another subject's order as for none: an ID that is
// known tells nothing.
func (a *API) cancelOrder(w http.ResponseWriter, r *http.Request, t *accessToken) error {
	if err := a.orders.remove(t.subject, r.PathValue("id")); err != nil {
		return problem.New(problem.NotFound, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("api: marshal: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller has gone, if this fails
	return nil
}

// bodyProblem tells a body that is too long from one that broke off.
func bodyProblem(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.New(problem.RequestTooLarge, err)
	}
	return problem.New(problem.BadRequest, fmt.Errorf("api: read body: %w", err))
}
