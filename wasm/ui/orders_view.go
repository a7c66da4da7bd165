package ui

import (
	"strconv"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
)

const pageSize = shared.DefaultPageLimit

// Elements the keyboard is moved to.
const (
	itemID     = "order-item"
	quantityID = "order-quantity"
	noticeID   = "order-notice"
	confirmID  = "order-confirm"
)

func (o *orders) form() app.UI {
	send := app.Button().Type("submit").Class("button").Disabled(o.model.Adding)
	if o.model.Adding {
		send = send.Text("Ordering…")
	} else {
		send = send.Text("Order")
	}
	item := app.Input().ID(itemID).Name("item").Type("text").AutoComplete(false).
		Value(o.model.Draft.Item).OnInput(o.typedItem)
	quantity := app.Input().ID(quantityID).Name("quantity").Type("text").Attr("inputmode", "numeric").AutoComplete(false).
		Value(o.model.Draft.Quantity).OnInput(o.typedQuantity)
	return app.Form().Class("card order-form").OnSubmit(func(ctx app.Context, e app.Event) {
		e.PreventDefault()
		o.post(ctx, o.submit)
	}).Attr("novalidate", true).Body(
		field(itemID, "What would you like?", "grow", item, o.model.Wrong.Item),
		field(quantityID, "How many?", "few", quantity, o.model.Wrong.Quantity),
		app.Div().Class("send").Body(send),
	)
}

// field is a labelled input with its complaint, tied together for screen readers.
func field(id, label, class string, input app.HTMLInput, wrong string) app.UI {
	if wrong != "" {
		input = input.Aria("invalid", "true").Aria("describedby", id+"-wrong")
	}
	return app.Div().Class("field", class).Body(
		app.Label().For(id).Text(label),
		input,
		app.P().ID(id+"-wrong").Class("wrong").Text(wrong),
	)
}

func (o *orders) list() app.UI {
	return app.Section().Class("card list").DataSet("phase", o.model.Phase.String()).Aria("label", "Your orders").Body(
		outcome(noticeID, o.model.Notice),
		app.Div().Class("list-head").Body(
			app.H2().Text(o.summary()),
			when(len(o.model.Rows) > 0 && o.model.Phase == Loading, func() app.UI {
				return app.Span().Class("soft").Text("Loading…")
			}),
			when(o.model.Stale && o.model.Phase == Failed, func() app.UI {
				return app.Span().Class("badge old").Text("as read before")
			}),
		),
		o.unread(),
		o.rows(),
		o.pager(),
	)
}

func (o *orders) summary() string {
	switch {
	case o.model.Missing():
		return "There is no page " + strconv.Itoa(o.model.Page)
	case o.model.Phase == Failed, o.model.Stale, o.model.Phase == Loading && len(o.model.Rows) == 0:
		return "Your orders"
	case o.model.Total == 0:
		return "No orders"
	}
	return Count(o.model.Total, "order")
}

// unread says why there is no list, or an old one. While the server is down the
// banner offers the one way to try again, and the list follows.
func (o *orders) unread() app.UI {
	if o.model.Phase != Failed {
		return nil
	}
	if o.Session.State == Down {
		return app.Div().Class("hollow").Body(
			app.P().Body(app.Strong().Text("The list could not be read. "), app.Text("It is read as soon as the server answers.")),
		)
	}
	return app.Div().Class("hollow").Body(
		app.P().Body(app.Strong().Text("The list could not be read. "), app.Text(o.model.Failure.Sentence())),
		app.Button().Type("button").Class("button small").Text("Try again").OnClick(func(ctx app.Context, _ app.Event) { o.post(ctx, o.retry) }),
	)
}

func (o *orders) rows() app.UI {
	switch {
	case o.model.Phase == Failed && !o.model.Stale:
		return nil
	case o.model.Phase == Loading && len(o.model.Rows) == 0:
		return bones(8)
	case o.model.Missing():
		return o.missing()
	case len(o.model.Rows) == 0:
		return app.Div().Class("hollow").Body(icon(iconHanger), app.P().Text("Nothing ordered yet. The form above changes that."))
	}
	head := []string{"Item", "Quantity", "Ordered", ""}
	class, caption := "table", "Orders, newest first, page "+strconv.Itoa(o.model.Page)+" of "+strconv.Itoa(o.model.Pages())
	if o.model.Stale {
		class, caption = "table stale", "Orders as read before"
	}
	return app.Table().Class(class).Body(
		app.Caption().Class("aside").Text(caption),
		app.THead().Body(app.Tr().Body(app.Range(head).Slice(func(i int) app.UI {
			if head[i] == "" {
				return app.Th().Scope("col").Body(app.Span().Class("aside").Text("Delete"))
			}
			return app.Th().Scope("col").Text(head[i])
		}))),
		app.TBody().Body(app.Range(o.model.Rows).Slice(func(i int) app.UI { return o.row(o.model.Rows[i]) })),
	)
}

// missing is a page beyond the last: nothing is wrong, and there is a way back.
func (o *orders) missing() app.UI {
	return app.Div().Class("hollow").Body(
		app.P().Text("The list of your orders ends before it."),
		app.Div().Class("ways").Body(
			app.A().Class("button small").Href(pathOrders).Text("To the first page"),
			when(o.model.Pages() > 1, func() app.UI {
				return app.A().Class("button small quiet").Href(PageURL(o.model.Pages())).Text("To the last page")
			}),
		),
	)
}

// row is one order. Handlers carry the ID as their scope: go-app takes two
// closures of the same code for one handler otherwise.
func (o *orders) row(r Row) app.UI {
	class, date := "", Day(r.Created)
	if r.Saving {
		class, date = "saving", "saving…"
	}
	var act app.UI
	switch {
	case o.model.Stale: // what is not known to be there is not deleted
	case r.Saving:
		act = app.Span().Class("soft").Text("…")
	case r.Asking:
		class = "asking"
		act = app.Span().Class("ask").Body(
			app.Button().ID(confirmID).Type("button").Class("button small danger").Text("Delete").Aria("label", "Yes, delete "+r.Item).
				OnClick(func(ctx app.Context, _ app.Event) { o.post(ctx, func(ctx app.Context) { o.remove(ctx, r.ID) }) }, app.EventScope("yes", r.ID)),
			app.Button().Type("button").Class("button small quiet").Text("Keep").Aria("label", "Keep "+r.Item).
				OnClick(func(ctx app.Context, _ app.Event) { o.post(ctx, func(ctx app.Context) { o.keepRow(ctx, r.ID) }) }, app.EventScope("keep", r.ID)),
		)
	default:
		act = app.Button().ID(deleteID(r.ID)).Type("button").Class("button small quiet").Text("Delete").Aria("label", "Delete "+r.Item).
			OnClick(func(ctx app.Context, _ app.Event) { o.post(ctx, func(ctx app.Context) { o.ask(ctx, r.ID) }) }, app.EventScope("ask", r.ID))
	}
	return app.Tr().Class(class).Body(
		app.Td().Class("item").Text(r.Item),
		app.Td().Class("count").DataSet("label", "Quantity").Text(Number(r.Quantity)),
		app.Td().Class("date").DataSet("label", "Ordered").Text(date),
		app.Td().Class("act").Body(act),
	)
}

func deleteID(id string) string { return "delete-" + id }

func (o *orders) pager() app.UI {
	last := o.model.Pages()
	if o.model.Phase == Failed || o.model.Missing() || last < 2 {
		return app.Nav().Class("pager").Aria("label", "Pages of orders")
	}
	links := o.model.PageLinks()
	items := []app.UI{turn("Newer", o.model.Page-1, o.model.Page > 1)}
	for _, n := range links {
		switch {
		case n == 0:
			items = append(items, app.Li().Class("gap").Aria("hidden", "true").Text("…"))
		case n == o.model.Page:
			items = append(items, app.Li().Body(app.A().Href(PageURL(n)).Aria("current", "page").Aria("label", "Page "+Number(n)).Text(Number(n))))
		default:
			items = append(items, app.Li().Body(app.A().Href(PageURL(n)).Aria("label", "Page "+Number(n)).Text(Number(n))))
		}
	}
	items = append(items, turn("Older", o.model.Page+1, o.model.Page < last))
	return app.Nav().Class("pager").Aria("label", "Pages of orders").Body(app.Ul().Body(items...))
}

func turn(name string, n int, possible bool) app.UI {
	if !possible {
		return app.Li().Body(app.Span().Class("off").Text(name))
	}
	return app.Li().Body(app.A().Href(PageURL(n)).Text(name))
}
