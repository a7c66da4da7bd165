package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// RenderShell is the whole of a page in a state, as HTML.
func RenderShell(page string, s Session) string {
	sh := newShell(page, nil)
	sh.session = s
	return app.HTMLString(sh)
}

// RenderFindings is the inspector's left side for what was found.
func RenderFindings(f Findings) string {
	return app.HTMLString(&inspector{scan: Ready, found: f, Session: Session{State: SignedOut}})
}

// RenderOrders is the page of orders with what its model holds.
func RenderOrders(model Orders, s Session) string {
	return app.HTMLString(&orders{model: model, Session: s})
}

// RenderHeld is the inspector's right side for what the server holds.
func RenderHeld(h shared.Holdings, s Session) string {
	return app.HTMLString(&inspector{held: holdings{phase: Ready, facts: h}, Session: s})
}

// RenderDevices is the list of sessions with what its model holds.
func RenderDevices(model Devices, s Session) string {
	return app.HTMLString(&devices{model: model, Session: s})
}

// RenderQuestion is the whole of a page with the question as it is.
func RenderQuestion(q Question, s Session) string {
	sh := newShell(pathOrders, nil)
	sh.session, sh.question = s, q
	return app.HTMLString(sh)
}

// RenderSession is the page of the session with what the server holds.
func RenderSession(h shared.Holdings, s Session) string {
	return app.HTMLString(&sessionPage{held: holdings{phase: Ready, facts: h}, Session: s})
}

// Back feeds sessions to a recovery and returns what it made of each.
func Back(sessions ...Session) []bool {
	var r recovery
	back := make([]bool, len(sessions))
	for i := range sessions {
		back[i] = r.back(sessions[i])
	}
	return back
}

// RenderPlay is a topology that is played with, at its own origin.
func RenderPlay(model Playing, s Session) string {
	p := &playPage{model: model, Session: s, Here: pathPlay}
	return app.HTMLString(p.live())
}

// Trip is how the way to a server is drawn.
func (p *Playing) Trip(server string) Trip { return p.trips[server] }

// Parts names the topologies of each part of the catalogue.
func Parts() (ids [][]string) {
	for _, part := range parts() {
		var list []string
		for _, t := range lab.Topologies() {
			if part.has(t) {
				list = append(list, t.ID)
			}
		}
		ids = append(ids, list)
	}
	return ids
}
