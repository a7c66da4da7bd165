package ui

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// countdown shows the time left until a moment. When it is over, a session's
// countdown has the shell ask the server: the page's clock decides nothing.
type countdown struct {
	app.Compo
	Until   int64  // Unix seconds
	Over    string // what to show afterwards
	Recheck bool

	now   time.Time
	asked int64
}

func (c *countdown) OnInit() { c.now = time.Now() }

func (c *countdown) OnMount(ctx app.Context) { c.tick(ctx) }

func (c *countdown) tick(ctx app.Context) {
	ctx.After(time.Second, func(ctx app.Context) {
		c.now = time.Now()
		if c.Recheck && c.asked != c.Until && c.now.Unix() > c.Until {
			c.asked = c.Until
			ctx.NewAction(actRecheck)
		}
		c.tick(ctx)
	})
}

func (c *countdown) Render() app.UI {
	left := time.Unix(c.Until, 0).Sub(c.now)
	text := Left(left)
	if left <= 0 && c.Over != "" {
		text = c.Over
	}
	return app.Span().Class("timer").Role("timer").Text(text)
}
