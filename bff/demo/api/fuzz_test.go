package api_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"cloakroom/bff/demo/api"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

func FuzzPage(f *testing.F) {
	for _, seed := range []string{"", "offset=0&limit=1", "limit=200", "limit=%31", "offset=1;limit=2", "limit=1&limit=1", "offset=-0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		offset, limit, err := api.ParsePage(query)
		if err != nil {
			if problem.CodeOf(err) == problem.Internal {
				t.Fatalf("%q is our fault: %v", query, err)
			}
			return
		}
		if offset < 0 || limit < 1 || limit > shared.MaxPageLimit {
			t.Fatalf("%q gives offset %d and limit %d", query, offset, limit)
		}
	})
}

func FuzzNewOrder(f *testing.F) {
	for _, seed := range []string{
		`{"item":"a","quantity":1}`, `{"item":"a","quantity":1}{}`, `{"ITEM":"a"}`, `{"item":null,"quantity":1e0}`, `[`, `{"item":{"item":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		order, err := api.ParseNewOrder(body)
		if err != nil {
			if problem.CodeOf(err) == problem.Internal {
				t.Fatalf("%q is our fault: %v", body, err)
			}
			return
		}
		if n := utf8.RuneCountInString(order.Item); n < 1 || n > shared.MaxOrderItem || order.Quantity < 1 || order.Quantity > shared.MaxOrderQuantity {
			t.Fatalf("%q gives %+v", body, order)
		}
		plain := map[string]any{}
		if err := json.Unmarshal(body, &plain); err != nil || len(plain) != 2 || plain["item"] != order.Item {
			t.Fatalf("%q is read in two ways: %+v and %v", body, order, plain)
		}
	})
}
