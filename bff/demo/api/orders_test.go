package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/demo/api"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

func TestOrdersComeInPagesNewestFirst(t *testing.T) {
	l := newLab(t, nil)
	token := l.token("user-alice")
	var all []shared.Order
	for len(all) < 1200 {
		page := decode[shared.OrderPage](t, l.call(token, "GET", fmt.Sprintf("/orders?offset=%d&limit=200", len(all)), ""), 200)
		if page.Total != 1200 || page.Limit != 200 || page.Offset != len(all) || len(page.Orders) != 200 {
			t.Fatalf("page at %d: %d orders, %+v", len(all), len(page.Orders), page.Total)
		}
		all = append(all, page.Orders...)
	}
	ids, items := map[string]bool{}, map[string]bool{}
	for _, order := range all {
		ids[order.ID], items[order.Item] = true, true
		if order.Quantity < 1 || order.Quantity > shared.MaxOrderQuantity || len(order.Item) > shared.MaxOrderItem {
			t.Errorf("implausible: %+v", order)
		}
	}
	if len(ids) != 1200 || len(items) < 400 {
		t.Errorf("%d IDs and %d items", len(ids), len(items))
	}
	newestFirst := func(a, b shared.Order) int { return int(b.Created - a.Created) }
	if !slices.IsSortedFunc(all, newestFirst) || all[0].Created > l.clock.Now().Unix() {
		t.Error("not newest first")
	}
	page := decode[shared.OrderPage](t, l.call(token, "GET", "/orders", ""), 200)
	if diff := cmp.Diff(all[:shared.DefaultPageLimit], page.Orders); diff != "" || page.Limit != shared.DefaultPageLimit {
		t.Errorf("the default page: %s", diff)
	}
	page = decode[shared.OrderPage](t, l.call(token, "GET", "/orders?offset=1195&limit=10", ""), 200)
	if diff := cmp.Diff(all[1195:], page.Orders); diff != "" {
		t.Errorf("the last page: %s", diff)
	}
	again := newLab(t, nil)
	page = decode[shared.OrderPage](t, again.call(again.token("user-alice"), "GET", "/orders", ""), 200)
	if diff := cmp.Diff(all[:shared.DefaultPageLimit], page.Orders); diff != "" {
		t.Errorf("the seed is not the same every time: %s", diff)
	}
}

func TestSomeoneWithoutOrdersGetsAnEmptyArray(t *testing.T) {
	l := newLab(t, nil)
	page := decode[map[string]any](t, l.call(l.token("user-carol"), "GET", "/orders?offset=7", ""), 200)
	want := map[string]any{"orders": []any{}, "offset": 7.0, "limit": 20.0, "total": 0.0}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
}

func TestAnOrderIsPlacedShownAndCancelled(t *testing.T) {
	l := newLab(t, nil)
	bob := l.token("user-bob")
	response := l.call(bob, "POST", "/orders", `{"item": "Oak coat hook", "quantity": 2}`)
	location, err := url.Parse(response.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	order := decode[shared.Order](t, response, http.StatusCreated)
	want := shared.Order{ID: order.ID, Item: "Oak coat hook", Quantity: 2, Created: l.clock.Now().Unix()}
	if order != want || order.ID == "" {
		t.Errorf("got %+v, want %+v", order, want)
	}
	target := (&url.URL{Path: "/orders"}).ResolveReference(location).Path
	if got := decode[shared.Order](t, l.call(bob, "GET", target, ""), 200); got != order {
		t.Errorf("Location leads to %+v", got)
	}
	if proxied := (&url.URL{Path: "/api/orders"}).ResolveReference(location).Path; proxied != "/api"+target {
		t.Errorf("behind a proxy Location leads to %s", proxied)
	}
	page := decode[shared.OrderPage](t, l.call(bob, "GET", "/orders", ""), 200)
	if page.Total != 4 || page.Orders[0] != order {
		t.Errorf("the newest order is not first: %+v", page)
	}

	alice := l.token("user-alice")
	wantProblem(t, l.call(alice, "GET", target, ""), problem.NotFound)
	wantProblem(t, l.call(alice, "DELETE", target, ""), problem.NotFound)
	if response := l.call(bob, "DELETE", target, ""); response.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", response.StatusCode)
	}
	wantProblem(t, l.call(bob, "DELETE", target, ""), problem.NotFound)
	if page := decode[shared.OrderPage](t, l.call(bob, "GET", "/orders", ""), 200); page.Total != 3 {
		t.Errorf("%d orders remain", page.Total)
	}
}

func TestPageParametersAreStrict(t *testing.T) {
	l := newLab(t, nil)
	token := l.token("user-alice")
	for query, code := range map[string]problem.Code{
		"limit=0": problem.ParameterInvalid, "limit=201": problem.ParameterInvalid, "limit=": problem.ParameterInvalid,
		"limit=x": problem.ParameterInvalid, "limit=+1": problem.ParameterInvalid, "limit=01": problem.ParameterInvalid,
		"offset=-1": problem.ParameterInvalid, "offset=10001": problem.ParameterInvalid,
		"offset=99999999999999999999": problem.ParameterInvalid,
		"limit=1&limit=2":             problem.ParameterDuplicated, "offset=1&offset=1": problem.ParameterDuplicated,
		"limit=%zz": problem.BadRequest, "limit=1;offset=2": problem.BadRequest,
	} {
		t.Run(query, func(t *testing.T) { wantProblem(t, l.call(token, "GET", "/orders?"+query, ""), code) })
	}
}

func TestBadOrdersAreRefused(t *testing.T) {
	l := newLab(t, nil)
	token := l.token("user-bob")
	long := strings.Repeat("ä", shared.MaxOrderItem)
	for _, row := range []struct {
		name, body string
		code       problem.Code
	}{
		{"not JSON", `{"item":`, problem.BadRequest},
		{"something after it", `{"item":"a","quantity":1} {}`, problem.BadRequest},
		{"not UTF-8", "{\"item\":\"\xff\",\"quantity\":1}", problem.BadRequest},
		{"an array", `[]`, problem.OrderInvalid},
		{"null", `null`, problem.OrderInvalid},
		{"an unknown field", `{"item":"a","quantity":1,"price":0}`, problem.OrderInvalid},
		{"a field in capitals", `{"Item":"a","quantity":1}`, problem.OrderInvalid},
		{"a field twice", `{"item":"a","item":"b","quantity":1}`, problem.OrderInvalid},
		{"no item", `{"quantity":1}`, problem.OrderInvalid},
		{"an empty item", `{"item":"","quantity":1}`, problem.OrderInvalid},
		{"a blank item", `{"item":" \u2003","quantity":1}`, problem.OrderInvalid},
		{"an item of lines", `{"item":"a\nb","quantity":1}`, problem.OrderInvalid},
		{"an item too long", `{"item":"` + long + `x","quantity":1}`, problem.OrderInvalid},
		{"an item that is a number", `{"item":1,"quantity":1}`, problem.OrderInvalid},
		{"no quantity", `{"item":"a"}`, problem.OrderInvalid},
		{"a quantity of 0", `{"item":"a","quantity":0}`, problem.OrderInvalid},
		{"a negative quantity", `{"item":"a","quantity":-1}`, problem.OrderInvalid},
		{"a quantity too large", `{"item":"a","quantity":1000}`, problem.OrderInvalid},
		{"half a quantity", `{"item":"a","quantity":1.5}`, problem.OrderInvalid},
		{"a quantity that is a text", `{"item":"a","quantity":"1"}`, problem.OrderInvalid},
		{"a body without end", `{"item":"` + strings.Repeat("a", 5000) + `"}`, problem.RequestTooLarge},
	} {
		t.Run(row.name, func(t *testing.T) { wantProblem(t, l.call(token, "POST", "/orders", row.body), row.code) })
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json/x"} {
		r := httptest.NewRequest("POST", "/orders", strings.NewReader(`{"item":"a","quantity":1}`))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", contentType)
		wantProblem(t, l.do(r), problem.BadRequest)
	}
	if page := decode[shared.OrderPage](t, l.call(token, "GET", "/orders", ""), 200); page.Total != 3 {
		t.Errorf("a bad order was taken: %d", page.Total)
	}
	for _, body := range []string{`{"item":"` + long + `","quantity":999}`, ` {"quantity":1,"item":"` + `\u00e4"} `} {
		decode[shared.Order](t, l.call(token, "POST", "/orders", body), http.StatusCreated)
	}
}

func TestNobodyHasMoreThanTenThousandOrders(t *testing.T) {
	l := newLab(t, func(c *api.Config) { c.Seed = map[string]int{"full": 9_999} })
	token := l.token("full")
	const body = `{"item":"a","quantity":1}`
	decode[shared.Order](t, l.call(token, "POST", "/orders", body), http.StatusCreated)
	wantProblem(t, l.call(token, "POST", "/orders", body), problem.OrderInvalid)
	decode[shared.Order](t, l.call(l.token("other"), "POST", "/orders", body), http.StatusCreated)
}

func TestOrdersOfManyCallersAtOnce(t *testing.T) {
	l := newLab(t, func(c *api.Config) { c.Seed = map[string]int{} })
	var group sync.WaitGroup
	for caller := range 8 {
		token := l.token(fmt.Sprint("caller-", caller%2))
		group.Go(func() {
			for range 25 {
				order := decode[shared.Order](t, l.call(token, "POST", "/orders", `{"item":"a","quantity":1}`), http.StatusCreated)
				l.call(token, "GET", "/orders", "")
				if caller >= 4 {
					l.call(token, "DELETE", "/orders/"+order.ID, "")
				}
			}
		})
	}
	group.Wait()
	for _, subject := range []string{"caller-0", "caller-1"} {
		if page := decode[shared.OrderPage](t, l.call(l.token(subject), "GET", "/orders", ""), 200); page.Total != 50 {
			t.Errorf("%s has %d orders, want 50", subject, page.Total)
		}
	}
}

func TestOtherMethodsAndPathsAreNamed(t *testing.T) {
	l := newLab(t, nil)
	token := l.token("user-bob")
	for target, allow := range map[string]string{
		"PUT /orders": "GET, HEAD, POST", "POST /orders/1": "GET, HEAD, DELETE", "POST /debug/headers": "GET, HEAD",
		"DELETE /debug/stream": "GET, HEAD", "PUT /debug/echo": "GET, POST", "GET /debug/echo": "GET, POST", "HEAD /debug/echo": "GET, POST",
	} {
		method, path, _ := strings.Cut(target, " ")
		response := l.call(token, method, path, "")
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != allow {
			t.Errorf("%s: status %d, Allow %q, want %q", target, response.StatusCode, response.Header.Get("Allow"), allow)
		}
	}
	for _, path := range []string{"/", "/orders/", "/orders/1/2", "/debug", "/Orders"} {
		wantProblem(t, l.call(token, "GET", path, ""), problem.NotFound)
	}
}

func TestABadConfigurationIsReportedWhole(t *testing.T) {
	_, err := api.New(api.Config{Issuer: "idp", JWKSURL: "keys", Seed: map[string]int{"x": 10_001}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"issuer", "JWKS URL", "no audience", `seed of "x"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}
