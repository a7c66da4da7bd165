package ui_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/shared"
	"cloakroom/shared/problem"
	"cloakroom/wasm/ui"
)

// shown opens page n of total orders named by their number, newest first.
func shown(n, total int) *ui.Orders {
	o := &ui.Orders{}
	o.Open(n)
	page := shared.OrderPage{Offset: o.Offset(), Limit: shared.DefaultPageLimit, Total: total}
	for i := total - o.Offset(); i > 0 && len(page.Orders) < shared.DefaultPageLimit; i-- {
		page.Orders = append(page.Orders, shared.Order{ID: id(i), Item: "item " + id(i), Quantity: 1})
	}
	o.Loaded(page)
	return o
}

func id(i int) string { return "o" + ui.Number(i) }

func ids(o *ui.Orders) string {
	var all []string
	for _, row := range o.Rows {
		name := row.ID
		if row.Saving {
			name = "saving"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestADraftIsCheckedBeforeItIsSent(t *testing.T) {
	for _, row := range []struct {
		name  string
		draft ui.Draft
		want  ui.DraftErrors
	}{
		{"good", ui.Draft{Item: " scarf ", Quantity: " 2 "}, ui.DraftErrors{}},
		{"the longest item, counted in characters", ui.Draft{Item: strings.Repeat("é", shared.MaxOrderItem), Quantity: "1"}, ui.DraftErrors{}},
		{"one character more", ui.Draft{Item: strings.Repeat("é", shared.MaxOrderItem+1), Quantity: "1"}, ui.DraftErrors{Item: "That is longer than 120 characters."}},
		{"blank", ui.Draft{Item: "  ", Quantity: "1"}, ui.DraftErrors{Item: "Say what to order."}},
		{"none", ui.Draft{Item: "x", Quantity: "0"}, ui.DraftErrors{Quantity: "A whole number from 1 to 999."}},
		{"too many", ui.Draft{Item: "x", Quantity: "1000"}, ui.DraftErrors{Quantity: "A whole number from 1 to 999."}},
		{"a word", ui.Draft{Item: "x", Quantity: "two"}, ui.DraftErrors{Quantity: "A whole number from 1 to 999."}},
	} {
		t.Run(row.name, func(t *testing.T) {
			order, wrong := row.draft.Order()
			if diff := cmp.Diff(row.want, wrong); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if order.Item != strings.TrimSpace(row.draft.Item) {
				t.Errorf("item %q", order.Item)
			}
		})
	}
}

func TestAddingShowsAtOnceAndRollsBack(t *testing.T) {
	o := shown(1, 2)
	o.Draft = ui.Draft{Item: "cane", Quantity: "3"}
	order, ok := o.Add()
	if !ok || order != (shared.NewOrder{Item: "cane", Quantity: 3}) || ids(o) != "saving o2 o1" {
		t.Fatalf("add: %v %+v, rows %s", ok, order, ids(o))
	}
	if _, again := o.Add(); again {
		t.Error("a double click orders twice")
	}
	if reload := o.AddFailed(failed(problem.OrderInvalid)); reload || ids(o) != "o2 o1" || !o.Notice.Bad || o.Adding {
		t.Errorf("roll back: reload %v rows %s notice %+v adding %v", reload, ids(o), o.Notice, o.Adding)
	}
	if o.Draft.Item != "cane" {
		t.Error("the text of a refused order is lost")
	}
	if _, ok := o.Add(); !ok {
		t.Fatal("cannot try again")
	}
	o.Added(shared.Order{ID: "o3", Item: "cane", Quantity: 3})
	if ids(o) != "o3 o2 o1" || o.Total != 3 || o.Notice.Bad || !o.Draft.Empty() {
		t.Errorf("added: rows %s total %d notice %+v draft %+v", ids(o), o.Total, o.Notice, o.Draft)
	}
	if _, ok := o.Add(); ok || o.Wrong.Item == "" {
		t.Error("an empty draft was sent")
	}
}

func TestAnOrderWithoutAnswerIsNeitherTakenNorRefused(t *testing.T) {
	o := shown(1, 2)
	o.Draft = ui.Draft{Item: "cane", Quantity: "3"}
	o.Add()
	if reload := o.AddFailed(ui.Failure{Fault: ui.FaultOffline}); !reload || !strings.Contains(o.Notice.Text, "may or may not") {
		t.Errorf("reload %v, notice %q", reload, o.Notice.Text)
	}
}

func TestAddingKeepsAFullPageAtItsLength(t *testing.T) {
	o := shown(1, 45)
	o.Draft = ui.Draft{Item: "cane", Quantity: "1"}
	o.Add()
	o.Added(shared.Order{ID: "new"})
	if len(o.Rows) != shared.DefaultPageLimit || o.Rows[0].ID != "new" || o.Total != 46 {
		t.Errorf("%d rows, first %s, total %d", len(o.Rows), o.Rows[0].ID, o.Total)
	}
	other := shown(2, 45)
	other.Draft = ui.Draft{Item: "cane", Quantity: "1"}
	before := ids(other)
	other.Add()
	other.Added(shared.Order{ID: "new"})
	if ids(other) != before {
		t.Error("a new order, which belongs on the first page, is shown on the second")
	}
}

func TestAListReadBetweenAddAndAnswerDoesNotDoubleTheOrder(t *testing.T) {
	o := shown(1, 1)
	o.Draft = ui.Draft{Item: "cane", Quantity: "1"}
	o.Add()
	o.Loaded(shared.OrderPage{Orders: []shared.Order{{ID: "o2"}, {ID: "o1"}}, Total: 2})
	o.Added(shared.Order{ID: "o2"})
	if ids(o) != "o2 o1" {
		t.Errorf("rows %s", ids(o))
	}
}

func TestDeletingTakesOffAtOnceAndRollsBack(t *testing.T) {
	o := shown(1, 3)
	o.Ask("o2")
	if !o.Rows[1].Asking || o.Rows[0].Asking {
		t.Fatal("the wrong row asks")
	}
	o.Ask("o3")
	if o.Rows[1].Asking {
		t.Error("two rows ask at once")
	}
	if !o.Delete("o2") || ids(o) != "o3 o1" || o.Total != 2 {
		t.Fatalf("rows %s total %d", ids(o), o.Total)
	}
	if o.Delete("o2") {
		t.Error("a double click deletes twice")
	}
	o.Loaded(shared.OrderPage{Orders: []shared.Order{{ID: "o3"}, {ID: "o2"}, {ID: "o1"}}, Total: 3})
	if ids(o) != "o3 o1" || o.Total != 2 {
		t.Errorf("a list read meanwhile brings it back: %s, total %d", ids(o), o.Total)
	}
	if reload := o.DeleteFailed("o2", failed(problem.UpstreamUnavailable)); reload || ids(o) != "o3 o2 o1" || o.Total != 3 || !o.Notice.Bad || o.Rows[1].Asking {
		t.Errorf("roll back: reload %v rows %s total %d notice %+v", reload, ids(o), o.Total, o.Notice)
	}
	o.Delete("o2")
	if reload := o.DeleteFailed("o2", failed(problem.NotFound)); reload || ids(o) != "o3 o1" || o.Notice.Bad {
		t.Errorf("an order gone already is deleted: rows %s notice %+v", ids(o), o.Notice)
	}
	o.Delete("o3")
	if reload := o.DeleteFailed("o3", ui.Failure{Fault: ui.FaultOffline}); !reload || !strings.Contains(o.Notice.Text, "may or may not") {
		t.Errorf("reload %v notice %q", reload, o.Notice.Text)
	}
}

func TestDeletingOnAFullPageFillsIt(t *testing.T) {
	o := shown(1, 45)
	o.Delete("o45")
	if !o.Deleted("o45") {
		t.Error("the page keeps a hole though there is more")
	}
	last := shown(3, 45)
	last.Delete("o5")
	if last.Deleted("o5") {
		t.Error("the last page has nothing to be filled with")
	}
	if last.Deleted("o5") {
		t.Error("deleted twice")
	}
}

func TestARowComesBackOnlyOnItsOwnPage(t *testing.T) {
	o := shown(1, 45)
	o.Delete("o45")
	o.Open(2)
	o.Loaded(shared.OrderPage{Offset: 20, Total: 45, Orders: []shared.Order{{ID: "o25"}}})
	o.DeleteFailed("o45", failed(problem.UpstreamUnavailable))
	if ids(o) != "o25" || o.Total != 45 {
		t.Errorf("rows %s total %d", ids(o), o.Total)
	}
}

func TestAnAnswerForAnotherPageIsIgnored(t *testing.T) {
	o := shown(1, 45)
	o.Open(2)
	o.Loaded(shared.OrderPage{Offset: 0, Total: 45, Orders: []shared.Order{{ID: "o45"}}})
	if o.Phase != ui.Loading || len(o.Rows) != 0 {
		t.Errorf("phase %v rows %s", o.Phase, ids(o))
	}
}

func TestAPageBeyondTheLastIsNoFailure(t *testing.T) {
	far := &ui.Orders{}
	far.Open(4000)
	far.LoadFailed(failed(problem.ParameterInvalid)) // the API's bound on offsets
	if !far.Missing() || far.Phase != ui.Ready || far.Failure != (ui.Failure{}) {
		t.Errorf("phase %v failure %+v", far.Phase, far.Failure)
	}
	if near := shown(4, 45); !near.Missing() || near.Pages() != 3 {
		t.Errorf("missing %v of %d pages", near.Missing(), near.Pages())
	}
	if shown(1, 0).Missing() || shown(3, 45).Missing() {
		t.Error("a page that is there is said not to be")
	}
	first := &ui.Orders{}
	first.Open(1)
	if first.LoadFailed(failed(problem.ParameterInvalid)); first.Missing() || first.Phase != ui.Failed {
		t.Error("the first page is never missing")
	}
}

func TestWhatWasReadStaysWhenTheServerFallsSilent(t *testing.T) {
	o := shown(1, 21)
	before := ids(o)
	o.Ask("o21")
	o.Open(2)
	if len(o.Rows) != 0 || o.Stale {
		t.Fatalf("another page's rows are shown as this one's: %s", ids(o))
	}
	o.LoadFailed(failed(problem.StoreUnavailable))
	if o.Phase != ui.Failed || !o.Stale || ids(o) != before || o.Rows[0].Asking {
		t.Errorf("phase %v stale %v rows %s", o.Phase, o.Stale, ids(o))
	}
	if o.Open(2); !o.Stale || ids(o) != before {
		t.Errorf("while it is read again: stale %v rows %s", o.Stale, ids(o))
	}
	o.Loaded(shared.OrderPage{Offset: 20, Total: 21, Orders: []shared.Order{{ID: "o1"}}})
	if o.Stale || ids(o) != "o1" {
		t.Errorf("read again: stale %v rows %s", o.Stale, ids(o))
	}

	same := shown(1, 2)
	same.Open(1)
	if same.LoadFailed(failed(problem.StoreUnavailable)); !same.Stale || ids(same) != "o2 o1" {
		t.Errorf("the same page: stale %v rows %s", same.Stale, ids(same))
	}
	same.Forget()
	same.Open(2)
	if same.LoadFailed(failed(problem.StoreUnavailable)); same.Stale || len(same.Rows) != 0 {
		t.Errorf("what was to be forgotten is back: %s", ids(same))
	}
}

func TestPages(t *testing.T) {
	for _, row := range []struct {
		name  string
		page  int
		total int
		want  []int
	}{
		{"no orders", 1, 0, []int{1}},
		{"one page exactly", 1, 20, []int{1}},
		{"one order more", 1, 21, []int{1, 2}},
		{"the first of many", 1, 1200, []int{1, 2, 0, 60}},
		{"near the start without a gap of none", 3, 1200, []int{1, 2, 3, 4, 0, 60}},
		{"in the middle", 30, 1200, []int{1, 0, 29, 30, 31, 0, 60}},
		{"the last", 60, 1200, []int{1, 0, 59, 60}},
		{"beyond the last", 999, 1200, []int{1, 0, 60}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := ui.Orders{Page: row.page, Total: row.total}
			if diff := cmp.Diff(row.want, o.PageLinks()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPageOfReadsOnlyPageNumbers(t *testing.T) {
	for query, want := range map[string]int{"": 1, "page=3": 3, "page=0": 1, "page=-4": 1, "page=abc": 1, "page=99999999999999999999": 1, "page=2147483647": 1} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := ui.PageOf(values); got != want {
			t.Errorf("%q is page %d, want %d", query, got, want)
		}
	}
	if ui.PageURL(1) != "/orders" || ui.PageURL(7) != "/orders?page=7" {
		t.Error("page addresses")
	}
}
