package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
)

// devices lists the user's sessions and ends them.
type devices struct {
	app.Compo
	Session Session

	client   Client
	model    Devices
	asked    bool
	recovery recovery
}

// What reaches the list from a button: see actOrders.
const (
	actDevices   = "cloakroom/devices"
	actLookAgain = "cloakroom/look-again" // what the page shows is to be read anew
)

// Elements the keyboard is moved to.
const (
	devicesNoticeID  = "devices-notice"
	devicesConfirmID = "devices-confirm"
	devicesOthersID  = "devices-others"
)

func (d *devices) post(ctx app.Context, work func(app.Context)) {
	ctx.NewActionWithValue(actDevices, work)
}

func (d *devices) OnMount(ctx app.Context) {
	ctx.Handle(actDevices, func(ctx app.Context, a app.Action) {
		if work, ok := a.Value.(func(app.Context)); ok {
			work(ctx)
		}
	})
	ctx.Handle(actLookAgain, func(ctx app.Context, _ app.Action) { d.load(ctx) })
	d.OnUpdate(ctx)
}

// OnUpdate reads the list once, and once more when the server is back after it
// could not be read.
func (d *devices) OnUpdate(ctx app.Context) {
	if back := d.recovery.back(d.Session); !d.asked || back && d.model.Phase == Failed {
		d.load(ctx)
	}
}

// load reads the list. A list that cannot be read is no news of the session.
func (d *devices) load(ctx app.Context) {
	if d.client == nil {
		return
	}
	d.asked = true
	ctx.Async(func() {
		list, err := d.client.Sessions(ctx)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				f := FailureOf(err)
				d.model.LoadFailed(f)
				quietly.tell(ctx, f)
				return
			}
			d.model.Loaded(list)
		})
	})
}

func (d *devices) ask(ctx app.Context, handle string) {
	d.model.Ask(handle)
	focus(ctx, devicesConfirmID)
}

func (d *devices) keep(ctx app.Context, handle string) {
	d.model.Keep()
	focus(ctx, endID(handle))
}

func (d *devices) end(ctx app.Context, handle string) {
	if !d.model.End(handle) {
		return
	}
	focus(ctx, devicesNoticeID)
	ctx.Async(func() {
		err := d.client.EndSession(ctx, handle)
		ctx.Dispatch(func(ctx app.Context) {
			if err == nil {
				d.model.Ended()
				return
			}
			f := FailureOf(err)
			if d.model.EndFailed(f) {
				d.load(ctx)
			}
			if f.Fault == FaultSignedOut {
				ctx.NewActionWithValue(actFailed, f)
			}
		})
	})
}

func (d *devices) Render() app.UI {
	return app.Section().ID("devices").Class("card list").DataSet("phase", d.model.Phase.String()).Aria("label", "Your sessions").Body(
		outcome(devicesNoticeID, d.model.Notice),
		app.Div().Class("list-head").Body(app.H2().Text("Your sessions"), d.others()),
		d.rows(),
	)
}

// others ends all sessions but this one, where that is more than one.
func (d *devices) others() app.UI {
	n := d.model.Others()
	switch {
	case n < 2:
		return nil
	case d.model.AskingOthers:
		return app.Span().Class("ask").Body(d.confirm(shared.HandleOthers, "End all "+Number(n), "Yes, end all "+Number(n)+" other sessions", "Keep all other sessions")...)
	}
	return d.ender(shared.HandleOthers, "End all others", "End all others of your sessions")
}

func (d *devices) rows() app.UI {
	switch {
	case d.model.Phase == Loading:
		return bones(3)
	case d.model.Phase == Failed:
		return app.Div().Class("hollow").Body(
			app.P().Body(app.Strong().Text("The list could not be read. "), app.Text(d.model.Failure.Sentence())),
			when(d.Session.State != Down, func() app.UI {
				return app.Button().Type("button").Class("button small").Text("Try again").
					OnClick(func(ctx app.Context, _ app.Event) { d.post(ctx, func(ctx app.Context) { d.load(ctx) }) })
			}),
		)
	case len(d.model.Rows) == 0:
		return app.Div().Class("hollow").Body(app.P().Text("This server keeps no list of sessions."))
	}
	return app.Ul().Class("devices").Body(app.Range(d.model.Rows).Slice(func(i int) app.UI { return d.row(d.model.Rows[i]) }))
}

func (d *devices) row(r DeviceRow) app.UI {
	name := app.P().Class("strong").Text(r.Name())
	if r.Current {
		name = app.P().Class("strong").Body(app.Text(r.Name()+" "), app.Span().Class("badge").Text("this one"))
	}
	seen := "last seen " + Day(r.LastSeen)
	if r.Current {
		seen = "in use now"
	}
	from := "Signed in " + Day(r.Created)
	if r.Address != "" {
		from += " from network " + r.Address
	}
	class := "device"
	if r.Asking {
		class = "device asking"
	}
	return app.Li().Class(class).Body(
		app.Div().Class("whose").Body(name, app.P().Class("soft fine").Text(from+", "+seen+".")),
		app.Div().Class("act").Body(d.act(r)),
	)
}

// act is what can be done about a session. This one has its "Sign out" on the
// ticket, which signs out at the provider too.
func (d *devices) act(r DeviceRow) app.UI {
	switch {
	case r.Current:
		return app.Span()
	case d.model.Ending(r):
		return app.Span().Class("soft").Text("Ending…")
	case r.Asking:
		return app.Span().Class("ask").Body(d.confirm(r.Handle, "End", "Yes, end the session of "+r.Name(), "Keep the session of "+r.Name())...)
	}
	return d.ender(r.Handle, "End", "End the session of "+r.Name())
}

// ender asks before anything ends. Handlers carry the handle as their scope:
// go-app takes two functions of one place for the same.
func (d *devices) ender(handle, text, label string) app.UI {
	return app.Button().ID(endID(handle)).Type("button").Class("button small quiet").Text(text).Aria("label", label).Disabled(d.model.Busy()).
		OnClick(func(ctx app.Context, _ app.Event) { d.post(ctx, func(ctx app.Context) { d.ask(ctx, handle) }) }, app.EventScope("ask", handle))
}

func (d *devices) confirm(handle, yes, yesLabel, keepLabel string) []app.UI {
	return []app.UI{
		app.Button().ID(devicesConfirmID).Type("button").Class("button small danger").Text(yes).Aria("label", yesLabel).
			OnClick(func(ctx app.Context, _ app.Event) { d.post(ctx, func(ctx app.Context) { d.end(ctx, handle) }) }, app.EventScope("yes", handle)),
		app.Button().Type("button").Class("button small quiet").Text("Keep").Aria("label", keepLabel).
			OnClick(func(ctx app.Context, _ app.Event) { d.post(ctx, func(ctx app.Context) { d.keep(ctx, handle) }) }, app.EventScope("keep", handle)),
	}
}

func endID(handle string) string {
	if handle == shared.HandleOthers {
		return devicesOthersID
	}
	return "end-" + handle
}
