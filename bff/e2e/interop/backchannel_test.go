package interop_test

import (
	"net/http"
	"testing"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// signOutAtTheProvider is a person who goes there and leaves.
func (w *world) signOutAtTheProvider(t *testing.T) {
	t.Helper()
	tab := w.browser.NewTab(t)
	tab.Go(w.IDPOrigin + pathEndSession)
	tab.Click(confirmYes)
	tab.WaitAt(w.IDPOrigin + pathEndSession + "/success")
}

// TestASignOutAtTheProvider ends the session here too: the provider says so
// behind the browser's back, by the session's sid or by the user's name (OIDC
// Back-Channel Logout 1.0). By the time the person sees that it is done, it is.
func TestASignOutAtTheProvider(t *testing.T) {
	t.Parallel()
	for name, bySID := range map[string]bool{"by sid": true, "by subject": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, options{listens: true, client: map[string]any{"backchannel_logout_session_required": bySID}})
			tab := w.signIn(t, "")
			orders(t, tab, 1)
			access, ticket := w.last(t, shared.TokenAccess), tab.Cookie(shared.CookieName).Value
			w.signOutAtTheProvider(t)
			w.isOver(t, tab, ticket)
			if w.alive(t, access) {
				t.Error("the provider honours a token of the ended session")
			}
		})
	}
}

// isOver: the session is gone for the page and for whoever has its ticket, and
// the provider has heard that it is.
func (w *world) isOver(t *testing.T, tab *stage.Tab, ticket string) {
	t.Helper()
	for _, path := range []string{shared.PathUser, "/api/orders"} {
		if a := tab.Call("GET", path); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, a.Status)
		}
		if status := w.replay(t, path, ticket); status != http.StatusUnauthorized {
			t.Errorf("%s with the old ticket: %d", path, status)
		}
	}
	stage.Until(t, stage.Patience, "the provider to have been answered", func() bool {
		return len(w.provider.told("backchannel.success", "backchannel.error")) > 0
	})
	if told := w.provider.told("backchannel.success"); len(told) != 1 || told[0].Client != clientID {
		t.Errorf("the provider was answered %+v", w.provider.told("backchannel.error"))
	}
}

// TestTheOpenTabIsTold of a sign-out at the provider, in another tab.
func TestTheOpenTabIsTold(t *testing.T) {
	t.Parallel()
	w := open(t, options{listens: true, client: map[string]any{"backchannel_logout_session_required": true}})
	tab := w.signIn(t, "")
	ticket := tab.Cookie(shared.CookieName).Value
	tab.Eval(`new Promise((yes, no) => {
		const events = new EventSource("/bff/events");
		events.onopen = () => yes(), events.onerror = () => no("no events");
		events.addEventListener("session-ended", () => { window.told = true; events.close(); });
	})`, nil)
	w.signOutAtTheProvider(t)
	tab.Wait("window.told")
	w.isOver(t, tab, ticket)
}
