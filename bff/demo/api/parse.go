package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// parseQuery reads a query string in the one way it can be read.
func parseQuery(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problem.New(problem.BadRequest, errors.New("api: the query is malformed"))
	}
	return query, nil
}

// parseInt reads an optional parameter that is a plain number from low to high.
func parseInt(query url.Values, name string, fallback, low, high int) (int, error) {
	values := query[name]
	switch len(values) {
	case 0:
		return fallback, nil
	case 1:
	default:
		return 0, problem.New(problem.ParameterDuplicated, errors.New("api: "+name+" is sent twice"))
	}
	n, err := strconv.Atoi(values[0])
	if err != nil || n < low || n > high || strconv.Itoa(n) != values[0] {
		return 0, problem.New(problem.ParameterInvalid, errors.New("api: "+name+" is out of bounds")).
			WithDetail(fmt.Sprintf("%s is a number from %d to %d.", name, low, high))
	}
	return n, nil
}

// maxOffset bounds offset: no subject has more orders.
const maxOffset = maxOrders

func parsePage(raw string) (offset, limit int, err error) {
	query, err := parseQuery(raw)
	if err != nil {
		return 0, 0, err
	}
	if offset, err = parseInt(query, "offset", 0, 0, maxOffset); err != nil {
		return 0, 0, err
	}
	limit, err = parseInt(query, "limit", shared.DefaultPageLimit, 1, shared.MaxPageLimit)
	return offset, limit, err
}

// parseNewOrder reads one JSON object of exactly the fields of an order, each
// at most once, spelt as documented. encoding/json alone would take fields in
// any case and the last of two.
func parseNewOrder(body []byte) (shared.NewOrder, error) {
	var order shared.NewOrder
	if !utf8.Valid(body) || !json.Valid(body) {
		return order, problem.New(problem.BadRequest, errors.New("api: the body is not one JSON value"))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return order, invalidOrder("An order is a JSON object.")
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return order, problem.New(problem.BadRequest, fmt.Errorf("api: read order: %w", err))
		}
		name, _ := token.(string)
		if seen[name] {
			return order, invalidOrder("A field is there twice.")
		}
		seen[name] = true
		if err := parseField(decoder, name, &order); err != nil {
			return order, err
		}
	}
	return order, checkOrder(order)
}

func parseField(decoder *json.Decoder, name string, order *shared.NewOrder) error {
	var err error
	switch name {
	case "item":
		err = decoder.Decode(&order.Item)
	case "quantity":
		err = decoder.Decode(&order.Quantity)
	default:
		return invalidOrder("An order has an item and a quantity, nothing else.")
	}
	if err != nil {
		return invalidOrder("item is a text and quantity a whole number.")
	}
	return nil
}

func checkOrder(order shared.NewOrder) error {
	switch {
	case strings.TrimSpace(order.Item) == "" || utf8.RuneCountInString(order.Item) > shared.MaxOrderItem:
		return invalidOrder(fmt.Sprintf("item has 1 to %d characters.", shared.MaxOrderItem))
	case strings.ContainsFunc(order.Item, unicode.IsControl):
		return invalidOrder("item holds a control character.")
	case order.Quantity < 1 || order.Quantity > shared.MaxOrderQuantity:
		return invalidOrder(fmt.Sprintf("quantity is 1 to %d.", shared.MaxOrderQuantity))
	}
	return nil
}

// invalidOrder says to the caller what is wrong; detail repeats no input.
func invalidOrder(detail string) error {
	return problem.New(problem.OrderInvalid, errors.New("api: the order is not valid")).WithDetail(detail)
}

// readAll reads a body that MaxBytesReader bounds.
func readAll(body io.Reader) ([]byte, error) {
	read, err := io.ReadAll(body)
	if err != nil {
		return nil, bodyProblem(err)
	}
	return read, nil
}
