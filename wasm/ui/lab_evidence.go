package ui

import (
	"fmt"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared/lab"
)

// evidence is the dialog with all that one outcome rests on. It has its place
// even when it is closed.
func (l *labPage) evidence() app.UI {
	dialog := app.Dialog().ID(evidenceID).Class("stay evidence").On("close", l.closed)
	k, open := l.open()
	if !open {
		return dialog
	}
	s, known := lab.FindStrategy(k.Row)
	if !known {
		s.Name = k.Row
	}
	var column Column
	var mark Mark
	var why string
	var body []app.UI
	if k.Table == Properties {
		column = propertyColumn(k.Column)
		found, ok := l.model.Measure(k)
		if mark, why = markOf(found), whyFound(found); !ok {
			mark, why = MarkOf(""), "This is not in the report."
		}
		body = []app.UI{evidenceList("What was done and seen", found.Steps)}
	} else {
		column = attackColumn(k.Column)
		c, ok := l.model.Cell(k)
		if mark, why = MarkOf(c.Verdict), Why(c); !ok {
			why = "This is not in the report."
		}
		body = evidenceOf(c.Evidence)
		body = append(body, app.P().Body(
			app.A().Class("button quiet").Href(TryURL(lab.Order{Strategy: k.Row, Attack: k.Column})).Text("Try this one yourself")))
	}
	return dialog.Aria("labelledby", evidenceTitleID).Body(append([]app.UI{
		app.Div().Class("list-head").Body(
			app.P().Class("number").Text(k.Column),
			app.Button().ID("evidence-close").Type("button").Class("button small quiet").Text("Close").
				OnClick(func(ctx app.Context, _ app.Event) { l.post(ctx, func(ctx app.Context) { l.closed(ctx, app.Event{}) }) }),
		),
		app.H2().ID(evidenceTitleID).TabIndex(-1).Text(s.Name + ": " + column.Name),
		outcomeOf(mark, why),
		app.P().Class("soft fine").Text(sentence(s.Keeps)),
		app.P().Class("soft fine").Text(sentence(column.About)),
	}, body...)...)
}

// outcomeOf is a verdict with its reason.
func outcomeOf(mark Mark, why string) app.UI {
	return app.Div().Class("outcome "+mark.Class).Body(
		app.P().Class("strong word").Body(
			when(mark.Symbol != "", func() app.UI { return app.Span().Class("symbol").Aria("hidden", "true").Text(mark.Symbol) }),
			app.Span().Text(mark.Word),
		),
		app.P().Text(why),
	)
}

// evidenceOf is what was seen, part by part; a part that has nothing says so.
func evidenceOf(e lab.Evidence) []app.UI {
	return []app.UI{
		evidenceList("What ran", e.Steps),
		app.Section().Class("part").Body(
			app.H3().Text("What reached the attacker"),
			app.If(len(e.Taken) == 0, func() app.UI { return app.P().Class("soft fine").Text("Nothing of use.") }).
				Else(func() app.UI {
					return app.Ul().Class("loot").Body(app.Range(e.Taken).Slice(func(i int) app.UI {
						taken := e.Taken[i]
						return app.Li().Body(
							app.Strong().Text(lootName(taken.Kind)), app.Text(" from "+taken.From+" "),
							app.Code().Title("Fingerprint: it opens nothing").Text(taken.Fingerprint),
						)
					}))
				}),
		),
		app.Section().Class("part").Body(
			app.H3().Text("What the servers answered"),
			app.If(len(e.Answers) == 0, func() app.UI { return app.P().Class("soft fine").Text("Nobody was asked.") }).
				Else(func() app.UI {
					return app.Ul().Class("answers").Body(app.Range(e.Answers).Slice(func(i int) app.UI { return answered(e.Answers[i]) }))
				}),
		),
		evidenceList("What changed for the victim", e.Changes),
	}
}

func answered(a lab.Answer) app.UI {
	who := "the attacker's client"
	if a.By == lab.Browser {
		who = "the victim's browser"
	}
	result, class := "no data", "given none"
	if a.Gave {
		result, class = "the victim's data", "given"
	}
	return app.Li().Body(
		app.Code().Class("asked").Text(a.Request),
		app.Span().Class("fine soft").Body(
			app.Text("by "+who),
			when(a.With != "", func() app.UI { return app.Span().Body(app.Text(", with "), app.Code().Text(a.With)) }),
		),
		app.Span().Class(class).Body(app.Strong().Text(fmt.Sprint(a.Status)), app.Text(" "+result)),
	)
}

func evidenceList(title string, lines []string) app.UI {
	return app.Section().Class("part").Body(
		app.H3().Text(title),
		app.If(len(lines) == 0, func() app.UI { return app.P().Class("soft fine").Text("Nothing.") }).
			Else(func() app.UI {
				return app.Ol().Class("ran").Body(app.Range(lines).Slice(func(i int) app.UI { return app.Li().Text(lines[i]) }))
			}),
	)
}
