package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// draftKey keeps the user's own unsent text over the way to the provider and
// back. It is no secret, and gone once the order is placed.
const draftKey = "cloakroom.draft.order"

// orders is the page of orders: a form and a list.
type orders struct {
	app.Compo
	Session Session
	Here    string // exported: a new page number arrives as a new address

	client   Client
	model    Orders
	asked    string // the address whose list was asked for
	recovery recovery
}

// actOrders carries work from a button to the page. A button's own context
// dies with it: what a call brings back after its row has gone would be lost.
const actOrders = "cloakroom/orders"

func (o *orders) post(ctx app.Context, work func(app.Context)) {
	ctx.NewActionWithValue(actOrders, work)
}

func (o *orders) OnMount(ctx app.Context) {
	ctx.Handle(actOrders, func(ctx app.Context, a app.Action) {
		if work, ok := a.Value.(func(app.Context)); ok {
			work(ctx)
		}
	})
	o.model.Draft = Draft{Quantity: "1"}
	if err := ctx.SessionStorage().Get(draftKey, &o.model.Draft); err != nil {
		o.model.Draft = Draft{Quantity: "1"} // not ours; overwritten with the next letter
	}
	o.open(ctx)
}

func (o *orders) OnUpdate(ctx app.Context) { o.open(ctx) }

// open reads the list once per address, as soon as somebody is signed in, and
// once more when the server is back after the list could not be read.
func (o *orders) open(ctx app.Context) {
	back := o.recovery.back(o.Session)
	if !o.Session.Shows() {
		o.asked = ""
		o.model.Forget()
		return
	}
	address := here()
	switch {
	case o.asked != address:
		o.asked = address
		o.model.Open(PageOf(app.Window().URL().Query()))
		o.load(ctx, aloud)
	case back && o.model.Phase == Failed:
		o.model.Open(o.model.Page)
		o.load(ctx, quietly)
	}
}

func (o *orders) load(ctx app.Context, how telling) {
	if o.client == nil {
		return
	}
	offset := o.model.Offset()
	ctx.Async(func() {
		page, err := o.client.Orders(ctx, offset, pageSize)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				f := FailureOf(err)
				o.model.LoadFailed(f)
				how.tell(ctx, f)
				return
			}
			o.model.Loaded(page)
		})
	})
}

func (o *orders) submit(ctx app.Context) {
	order, ok := o.model.Add()
	if !ok {
		switch {
		case o.model.Wrong.Item != "":
			focus(ctx, itemID)
		case o.model.Wrong.Quantity != "":
			focus(ctx, quantityID)
		}
		return
	}
	ctx.Async(func() {
		added, err := o.client.AddOrder(ctx, order)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				o.failed(ctx, FailureOf(err), o.model.AddFailed)
				return
			}
			o.model.Added(added)
			o.model.Draft.Quantity = "1"
			ctx.SessionStorage().Del(draftKey)
			setField(ctx, itemID, "")
			setField(ctx, quantityID, "1")
			focus(ctx, itemID)
		})
	})
}

func (o *orders) ask(ctx app.Context, id string) {
	o.model.Ask(id)
	focus(ctx, confirmID)
}

func (o *orders) keepRow(ctx app.Context, id string) {
	o.model.Keep()
	focus(ctx, deleteID(id))
}

func (o *orders) remove(ctx app.Context, id string) {
	if !o.model.Delete(id) {
		return
	}
	focus(ctx, noticeID)
	ctx.Async(func() {
		err := o.client.DeleteOrder(ctx, id)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				o.failed(ctx, FailureOf(err), func(f Failure) bool { return o.model.DeleteFailed(id, f) })
				return
			}
			if o.model.Deleted(id) {
				o.load(ctx, aloud)
			}
		})
	})
}

// failed rolls a change back and tells the shell, which knows what the failure
// means for the session.
func (o *orders) failed(ctx app.Context, f Failure, rollBack func(Failure) bool) {
	if rollBack(f) {
		o.load(ctx, aloud)
	}
	if f.Fault == FaultSignedOut {
		ctx.NewActionWithValue(actFailed, f)
	}
}

func (o *orders) typedItem(ctx app.Context, _ app.Event) {
	o.model.Draft.Item = typed(ctx)
	o.keep(ctx)
}

func (o *orders) typedQuantity(ctx app.Context, _ app.Event) {
	o.model.Draft.Quantity = typed(ctx)
	o.keep(ctx)
}

func (o *orders) keep(ctx app.Context) {
	if o.model.Draft.Empty() {
		ctx.SessionStorage().Del(draftKey)
		return
	}
	if err := ctx.SessionStorage().Set(draftKey, o.model.Draft); err != nil {
		app.Log("the draft is kept in memory only:", err)
	}
}

func (o *orders) retry(ctx app.Context) {
	o.model.Open(o.model.Page)
	o.load(ctx, aloud)
	ctx.NewAction(actRecheck)
}

func (o *orders) Render() app.UI {
	body := []app.UI{heading("Orders")}
	if closed := gate(o.Session, o.Here, "see and place orders"); closed != nil {
		if o.Session.State == Expired && !o.model.Draft.Empty() {
			body = append(body, app.P().Class("notice good").Body(
				app.Text("Your unsent order is kept: "), app.Strong().Text("“"+o.model.Draft.Item+"”")))
		}
		return app.Div().Class("page").Body(append(body, closed)...)
	}
	return app.Div().Class("page").Body(append(body, o.form(), o.list())...)
}
