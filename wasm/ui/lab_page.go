package ui

import (
	"cmp"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared/lab"
)

// reportFile comes with the application, like its style sheet.
const reportFile = "/web/lab/strategies.json"

// labPage shows what came out when every attack was made on every strategy.
// Nobody has to be signed in.
type labPage struct {
	app.Compo
	Here string // exported: which box is open arrives as a new address

	client Client
	model  Matrix
}

// actLab carries work from a button to the page, as actOrders does.
const actLab = "cloakroom/lab"

func (l *labPage) post(ctx app.Context, work func(app.Context)) {
	ctx.NewActionWithValue(actLab, work)
}

func (l *labPage) OnMount(ctx app.Context) {
	ctx.Handle(actLab, func(ctx app.Context, a app.Action) {
		if work, ok := a.Value.(func(app.Context)); ok {
			work(ctx)
		}
	})
	l.load(ctx)
}

func (l *labPage) OnUpdate(ctx app.Context) { l.show(ctx) }

func (l *labPage) load(ctx app.Context) {
	if l.client == nil {
		return
	}
	file := ctx.ResolveStaticResource(reportFile)
	ctx.Async(func() {
		report, err := l.client.LabReport(ctx, file)
		ctx.Dispatch(func(ctx app.Context) {
			if err != nil {
				l.model.LoadFailed(FailureOf(err))
				return
			}
			l.model.Loaded(report)
			l.show(ctx)
		})
	})
}

const (
	evidenceID      = "evidence"
	evidenceTitleID = "evidence-title"
)

// show makes the dialog what the address says. The browser's own dialog keeps
// the keyboard inside, and gives the focus back when it closes.
func (l *labPage) show(ctx app.Context) {
	_, open := l.open()
	ctx.Defer(func(app.Context) {
		dialog := app.Window().GetElementByID(evidenceID)
		switch {
		case !dialog.Truthy() || dialog.Get("open").Bool() == open:
		case open:
			dialog.Call("showModal")
			// Not the button: the Enter that opened it is still being pressed.
			if title := app.Window().GetElementByID(evidenceTitleID); title.Truthy() {
				title.Call("focus")
			}
			dialog.Set("scrollTop", 0)
		default:
			dialog.Call("close")
		}
	})
}

// open is the box whose evidence is shown.
func (l *labPage) open() (Key, bool) {
	k, ok := KeyOf(l.Here)
	return k, ok && l.model.Phase == Ready && !l.model.Absent
}

// closed is the element's word that it closed, which by Escape it does alone.
func (l *labPage) closed(ctx app.Context, _ app.Event) {
	if k, ok := l.open(); ok {
		ctx.Navigate(pathLab)
		focus(ctx, k.ID())
	}
}

func (l *labPage) Render() app.UI {
	return app.Div().Class("page").DataSet("phase", l.model.Phase.String()).Body(
		app.Div().Class("page-head").Body(
			app.Div().Body(
				heading("What breaks what"),
				app.P().Class("lead").Text("Every way to keep a user signed in, and every attack on it, made for real in a browser. "+
					"A cell is no opinion: open it for what ran and what came of it."),
			),
			app.Div().Class("ways").Body(
				app.A().Class("button quiet").Href(pathPlay).Text("One server, many servers"),
				app.A().Class("button").Href(pathTry).Text("Try it yourself"),
			),
		),
		l.body(),
		l.evidence(),
	)
}

func (l *labPage) body() app.UI {
	switch {
	case l.model.Phase == Loading:
		return app.Section().Class("card").Body(bones(8))
	case l.model.Absent:
		return app.Section().Class("card hollow").Body(
			app.P().Body(app.Strong().Text("No report came with this build. "), app.Text("The lab makes one: "), app.Code().Text("make lab-report")),
		)
	case l.model.Phase == Failed:
		return app.Section().Class("card hollow").Body(
			app.P().Body(app.Strong().Text("The report could not be read. "), app.Text(l.model.Failure.Sentence())),
			app.Button().Type("button").Class("button small").Text("Try again").
				OnClick(func(ctx app.Context, _ app.Event) { l.post(ctx, l.load) }),
		)
	}
	attacks, properties := l.model.Grid(Attacks), l.model.Grid(Properties)
	return app.Div().Class("lab").Body(
		l.filter(),
		app.P().Class("soft fine tally").Role("status").Text(attacks.Summary()+" "+l.made()),
		l.table(attacks, "Attacks", "attacks"),
		when(len(l.model.Report.Measures) > 0, func() app.UI { return l.table(properties, "Properties", "properties") }),
		&reason{},
	)
}

// made says where the report is from.
func (l *labPage) made() string {
	made := l.model.Report.Made
	if made.At.IsZero() {
		return ""
	}
	return "Made on " + Day(made.At.Unix()) + " with " + made.Browser + " and Cloakroom " + made.Cloakroom + "; " + made.Machine + "."
}

func (l *labPage) filter() app.UI {
	f := l.model.Filter
	verdict := func(v lab.Verdict, text string) app.UI {
		return app.Option().Value(cmp.Or(string(v), every)).Selected(f.Verdict == v).Text(text)
	}
	families := []app.UI{app.Option().Value(every).Selected(f.Family == "").Text("anywhere")}
	for _, family := range lab.Families() {
		families = append(families, app.Option().Value(string(family)).Selected(f.Family == family).Text(familyNames[family]))
	}
	return app.Form().Class("card filter").Role("search").Aria("label", "Filter").OnSubmit(func(_ app.Context, e app.Event) { e.PreventDefault() }).Body(
		app.Div().Class("field").Body(
			app.Label().For("lab-text").Text("Find"),
			app.Input().ID("lab-text").Type("search").AutoComplete(false).Placeholder("cookie, theft, A1").OnInput(l.narrow),
		),
		app.Div().Class("field").Body(
			app.Label().For("lab-verdict").Text("Show"),
			app.Select().ID("lab-verdict").OnChange(l.narrow).Body(
				verdict("", "every outcome"), verdict(lab.Broken, "only what was broken"), verdict(lab.Held, "only what held"),
			),
		),
		app.Div().Class("field").Body(
			app.Label().For("lab-family").Text("Kept"),
			app.Select().ID("lab-family").OnChange(l.narrow).Body(families...),
		),
	)
}

// every is a choice that leaves out nothing. An empty value would be none to
// go-app, and its text the value to a browser.
const every = "every"

// narrow reads the filter's fields.
func (l *labPage) narrow(app.Context, app.Event) {
	field := func(id string) string {
		value := app.Window().GetElementByID(id).Get("value").String()
		if value == every && id != "lab-text" {
			return ""
		}
		return value
	}
	l.model.Filter = Filter{Text: field("lab-text"), Verdict: lab.Verdict(field("lab-verdict")), Family: lab.Family(field("lab-family"))}
}

func (l *labPage) table(g Grid, title, id string) app.UI {
	head := app.H2().ID(id + "-title").Text(title)
	if len(g.Lines) == 0 || len(g.Columns) == 0 {
		return app.Section().Class("card list").Body(head, app.Div().Class("hollow").Body(app.P().Text("Nothing in the report is like that.")))
	}
	cursor := l.model.Cursor(g)
	return app.Section().Class("card list").Body(
		app.Div().Class("list-head").Body(
			head, app.P().Class("soft fine hint").Text("Arrow keys move, Enter opens."),
		),
		app.Div().Class("wide").Body(
			app.Table().ID(id).Class("matrix "+id).Aria("labelledby", id+"-title").
				On("keydown", l.walk).On("focusin", tellReason).On("mouseover", tellReason).Body(
				app.THead().Body(app.Tr().Body(
					app.Td().Class("corner"),
					app.Range(g.Columns).Slice(func(i int) app.UI { return columnHead(g, g.Columns[i]) }),
				)),
				app.TBody().Body(app.Range(g.Lines).Slice(func(i int) app.UI { return l.line(g, g.Lines[i], cursor) })),
			),
		),
	)
}

func columnHead(g Grid, c Column) app.UI {
	th := app.Th().Scope("col").Title(c.About)
	if g.Table == Properties || c.ID == c.Name {
		return th.Body(app.Span().Class("name").Text(c.Name))
	}
	return th.Body(app.Span().Class("id").Text(c.ID), app.Span().Class("name").Text(c.Name))
}

func (l *labPage) line(g Grid, line Line, cursor Key) app.UI {
	s := line.Strategy
	return app.Tr().DataSet("strategy", s.ID).Body(
		app.Th().Scope("row").Title(s.Keeps).Body(
			app.Span().Class("strong").Text(s.Name), app.Span().Class("soft fine family").Text(familyNames[s.Family()]),
		),
		app.Range(line.Boxes).Slice(func(i int) app.UI { return l.box(g.Columns[i], line, line.Boxes[i], cursor) }),
	)
}

// box is a link to its evidence. Of all of a table one is on the keyboard's
// way; from there the arrows lead on.
func (l *labPage) box(c Column, line Line, b Box, cursor Key) app.UI {
	label := c.ID
	if b.Key.Table == Properties {
		label = c.Name
	}
	inside := []app.UI{
		app.Span().Class("col").Aria("hidden", "true").Text(label),
		app.Span().Class("symbol").Aria("hidden", "true").Text(b.Mark.Symbol),
		app.Span().Class("word").Text(b.Mark.Word),
	}
	class := "box " + b.Mark.Class
	if b.Muted {
		class += " muted"
	}
	if b.Why == "" && b.Mark.Class == "none" {
		return app.Td().Body(app.Span().Class(class).Body(inside...))
	}
	stop := -1
	if b.Key == cursor {
		stop = 0
	}
	return app.Td().Body(
		app.A().ID(b.Key.ID()).Class(class).Href(b.Key.Address()).TabIndex(stop).
			DataSet("box", b.Key.Address()).DataSet("why", b.Why).
			Aria("label", line.Strategy.Name+", "+c.ID+" "+c.Name+": "+b.Mark.Word+". "+b.Why).Body(inside...),
	)
}

// walk moves the keyboard by the arrows.
func (l *labPage) walk(ctx app.Context, e app.Event) {
	box := e.Get("target").Call("closest", "[data-box]")
	if !box.Truthy() || e.Get("ctrlKey").Bool() || e.Get("altKey").Bool() || e.Get("metaKey").Bool() {
		return
	}
	from, ok := KeyOf(box.Get("dataset").Get("box").String())
	if !ok {
		return
	}
	to, moved := l.model.Move(from, e.Get("key").String())
	if !moved {
		return
	}
	e.PreventDefault()
	// At once: the next key may be on its way, and goes to where the focus is.
	if element := app.Window().GetElementByID(to.ID()); element.Truthy() {
		element.Call("focus")
	}
}

// reason says why, of the box that the pointer or the keyboard is at. It is for
// the eye: a box has the same in its name.
type reason struct {
	app.Compo
	text string
}

const actReason = "cloakroom/reason"

func tellReason(ctx app.Context, e app.Event) {
	ctx.PreventUpdate()
	box := e.Get("target").Call("closest", "[data-why]")
	if !box.Truthy() {
		return
	}
	ctx.NewActionWithValue(actReason, box.Get("ariaLabel").String())
}

func (r *reason) OnMount(ctx app.Context) {
	ctx.Handle(actReason, func(ctx app.Context, a app.Action) {
		text, _ := a.Value.(string)
		if text == r.text {
			ctx.PreventUpdate()
			return
		}
		r.text = text
		ctx.Update()
	})
}

func (r *reason) Render() app.UI {
	box := app.P().ID("reason").Aria("hidden", "true")
	if r.text == "" {
		return box.Class("reason idle").Text("Point at a cell to see why.")
	}
	return box.Class("reason").Text(r.text)
}
