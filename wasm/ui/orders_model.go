package ui

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Phase is how far a list is.
type Phase int

// The phases. A list that is loading again keeps its old rows.
const (
	Loading Phase = iota
	Ready
	Failed
)

// String is the phase as the page's data-phase names it.
func (p Phase) String() string { return [...]string{"loading", "ready", "failed"}[p] }

// Draft is an order as it is being typed.
type Draft struct {
	Item     string `json:"item"`
	Quantity string `json:"quantity"`
}

// Empty reports whether nothing worth keeping was typed.
func (d Draft) Empty() bool { return strings.TrimSpace(d.Item) == "" }

// DraftErrors says per field what keeps a draft from being an order.
type DraftErrors struct{ Item, Quantity string }

// Order checks d against the bounds the API has too.
func (d Draft) Order() (shared.NewOrder, DraftErrors) {
	item := strings.TrimSpace(d.Item)
	quantity, err := strconv.Atoi(strings.TrimSpace(d.Quantity))
	var wrong DraftErrors
	switch {
	case item == "":
		wrong.Item = "Say what to order."
	case utf8.RuneCountInString(item) > shared.MaxOrderItem:
		wrong.Item = "That is longer than " + strconv.Itoa(shared.MaxOrderItem) + " characters."
	}
	if err != nil || quantity < 1 || quantity > shared.MaxOrderQuantity {
		wrong.Quantity = "A whole number from 1 to " + strconv.Itoa(shared.MaxOrderQuantity) + "."
	}
	return shared.NewOrder{Item: item, Quantity: quantity}, wrong
}

// Row is an order in the list.
type Row struct {
	shared.Order
	Saving bool // shown before the API took it
	Asking bool // waits for "yes, delete"
}

// Notice is the outcome of the last change. Bad ones stay until the next.
type Notice struct {
	Text string
	Bad  bool
}

// Orders is the page of orders and the form above it.
type Orders struct {
	Phase   Phase
	Failure Failure
	Rows    []Row
	Stale   bool // Rows are of an earlier reading, perhaps of another page
	Page    int  // from 1
	Total   int
	Draft   Draft
	Wrong   DraftErrors
	Adding  bool
	Notice  Notice
	leaving map[string]place // deleted here, not yet there
	before  []Row            // of the page open before, until this one is read
}

type place struct {
	row  Row
	at   int
	page int
}

// PageOf reads the page number of an address; what is no page number is page 1.
func PageOf(query url.Values) int {
	n, err := strconv.Atoi(query.Get("page"))
	if err != nil || n < 1 || n > 1<<20 {
		return 1
	}
	return n
}

// PageURL is the address of page n.
func PageURL(n int) string {
	if n <= 1 {
		return pathOrders
	}
	return pathOrders + "?page=" + strconv.Itoa(n)
}

// Open turns to page n.
func (o *Orders) Open(n int) {
	if n != o.Page {
		if o.dropSaving(); len(o.Rows) > 0 {
			o.before = o.Rows
		}
		o.Rows, o.Stale = nil, false
	}
	o.Page, o.Phase, o.Failure = n, Loading, Failure{}
}

// Offset is the API's offset of the open page.
func (o *Orders) Offset() int { return (max(o.Page, 1) - 1) * shared.DefaultPageLimit }

// Loaded takes the API's answer, unless another page was opened meanwhile. What
// is being deleted stays out.
func (o *Orders) Loaded(page shared.OrderPage) {
	if page.Offset != o.Offset() {
		return
	}
	o.Phase, o.Failure, o.Total = Ready, Failure{}, max(page.Total-len(o.leaving), 0)
	o.Stale, o.before = false, nil
	o.Rows = o.Rows[:0]
	for _, order := range page.Orders {
		if _, gone := o.leaving[order.ID]; !gone {
			o.Rows = append(o.Rows, Row{Order: order})
		}
	}
}

// LoadFailed notes why the list could not be read. What was read before stays,
// marked as such. A page so far out that the API refuses its offset is a page
// that is not there.
func (o *Orders) LoadFailed(f Failure) {
	if f.Code == problem.ParameterInvalid && o.Page > 1 {
		o.Forget()
		o.Phase, o.Failure, o.Total = Ready, Failure{}, 0
		return
	}
	o.Phase, o.Failure = Failed, f
	if len(o.Rows) == 0 {
		o.Rows = o.before
	}
	o.Keep()
	o.Stale, o.before = len(o.Rows) > 0, nil
}

// Missing reports whether the open page lies beyond the last.
func (o *Orders) Missing() bool { return o.Phase == Ready && o.Page > 1 && len(o.Rows) == 0 }

// Forget drops what was read: it is no longer this reader's to see.
func (o *Orders) Forget() { o.Rows, o.before, o.Stale = nil, nil, false }

// savingID marks the row shown before the API gave it an ID.
const savingID = ""

// Add takes the draft as an order and shows it at once. It reports false when
// the draft is not an order or one is under way: a double click adds one order.
func (o *Orders) Add() (shared.NewOrder, bool) {
	if o.Adding {
		return shared.NewOrder{}, false
	}
	order, wrong := o.Draft.Order()
	o.Wrong = wrong
	if wrong != (DraftErrors{}) {
		o.Notice = Notice{}
		return shared.NewOrder{}, false
	}
	o.Adding, o.Notice = true, Notice{}
	if o.Page <= 1 {
		row := Row{Order: shared.Order{ID: savingID, Item: order.Item, Quantity: order.Quantity}, Saving: true}
		o.Rows = slices.Insert(o.Rows, 0, row)
	}
	return order, true
}

// Added replaces the row shown early by what the API keeps.
func (o *Orders) Added(order shared.Order) {
	o.dropSaving()
	o.Adding, o.Draft = false, Draft{}
	o.Total++
	o.Notice = Notice{Text: "Ordered: " + strconv.Itoa(order.Quantity) + " × " + order.Item + "."}
	known := slices.ContainsFunc(o.Rows, func(r Row) bool { return r.ID == order.ID })
	if o.Page <= 1 && !known {
		o.Rows = slices.Insert(o.Rows, 0, Row{Order: order})
		o.Rows = o.Rows[:min(len(o.Rows), shared.DefaultPageLimit)]
	}
}

// AddFailed takes the row shown early back and says why. The text stays in the
// form. It reports whether the list must be read again to know what is true.
func (o *Orders) AddFailed(f Failure) (reload bool) {
	o.dropSaving()
	o.Adding = false
	if f.Fault == FaultOffline {
		o.Notice = Notice{Bad: true, Text: "No answer came, so the order may or may not have been taken. Look at the list before you send it again."}
		return true
	}
	o.Notice = Notice{Bad: true, Text: "The order was not taken. " + f.Sentence()}
	return false
}

func (o *Orders) dropSaving() {
	o.Rows = slices.DeleteFunc(o.Rows, func(r Row) bool { return r.Saving })
}

// Ask opens the question whether to delete id, and closes any other.
func (o *Orders) Ask(id string) {
	for i := range o.Rows {
		o.Rows[i].Asking = o.Rows[i].ID == id && !o.Rows[i].Saving
	}
}

// Keep closes the question.
func (o *Orders) Keep() { o.Ask("\x00") }

// Delete takes id off the list at once. It reports false when it is not there
// (any more): a double click deletes once.
func (o *Orders) Delete(id string) bool {
	at := slices.IndexFunc(o.Rows, func(r Row) bool { return r.ID == id && !r.Saving })
	if at < 0 {
		return false
	}
	if o.leaving == nil {
		o.leaving = map[string]place{}
	}
	row := o.Rows[at]
	row.Asking = false
	o.leaving[id] = place{row: row, at: at, page: o.Page}
	o.Rows = slices.Delete(o.Rows, at, at+1)
	o.Total--
	o.Notice = Notice{}
	return true
}

// Deleted is the API's consent. It reports whether the page has room to fill.
func (o *Orders) Deleted(id string) (reload bool) {
	gone, ok := o.leaving[id]
	if !ok {
		return false
	}
	delete(o.leaving, id)
	o.Notice = Notice{Text: "Deleted: " + gone.row.Item + "."}
	return o.Total > o.Offset()+len(o.Rows) || len(o.Rows) == 0
}

// DeleteFailed puts the row back where it was and says why. An order that was
// gone already is as deleted as any.
func (o *Orders) DeleteFailed(id string, f Failure) (reload bool) {
	gone, ok := o.leaving[id]
	if !ok {
		return false
	}
	if f.Code == problem.NotFound {
		return o.Deleted(id)
	}
	delete(o.leaving, id)
	o.Total++
	if gone.page == o.Page {
		o.Rows = slices.Insert(o.Rows, min(gone.at, len(o.Rows)), gone.row)
	}
	o.Notice = Notice{Bad: true, Text: "“" + gone.row.Item + "” is still there. " + f.Sentence()}
	if f.Fault == FaultOffline {
		o.Notice.Text = "No answer came, so “" + gone.row.Item + "” may or may not be deleted."
		return true
	}
	return false
}

// Pages is how many pages there are, at least one.
func (o *Orders) Pages() int {
	return max((o.Total+shared.DefaultPageLimit-1)/shared.DefaultPageLimit, 1)
}

// PageLinks are the page numbers to offer around the open one; 0 is a gap.
func (o *Orders) PageLinks() []int {
	last := o.Pages()
	var links []int
	for n := 1; n <= last; n++ {
		if n == 1 || n == last || n >= o.Page-1 && n <= o.Page+1 {
			if len(links) > 0 && links[len(links)-1] != n-1 {
				links = append(links, 0)
			}
			links = append(links, n)
		}
	}
	return links
}
