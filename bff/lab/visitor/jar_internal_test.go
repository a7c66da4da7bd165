package visitor

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"cloakroom/shared"
)

// What a copy of cookies is worth: it stays though the server takes them back,
// while what else is set and taken is as in a browser.
func TestACookieThatIsTakenBackIsKeptByWhoKeeps(t *testing.T) {
	site, _ := url.Parse("http://localhost:1")
	set := func(j *jar, cookies ...*http.Cookie) []string {
		j.SetCookies(site, cookies)
		var names []string
		for _, c := range j.Cookies(site) {
			names = append(names, c.Name+"="+c.Value)
		}
		slices.Sort(names)
		return names
	}
	value := func(name, value string) *http.Cookie { return &http.Cookie{Name: name, Value: value} }
	gone := func(name string) *http.Cookie { return &http.Cookie{Name: name, MaxAge: -1} }
	const session, part, login = shared.CookieName, shared.CookieName + "-1", shared.CookieName + "-login-x"
	for _, keeps := range []bool{false, true} {
		j := newJar()
		j.keeps = keeps
		set(j, value(session, "a"), value(part, "b"), value(login, "c"), value("other", "d"))
		// A session that became smaller needs a part less: that is no end.
		if got := set(j, value(session, "a2"), gone(part), gone(login)); !slices.Equal(got, []string{session + "=a2", "other=d"}) {
			t.Errorf("keeps %t: after a change it has %v", keeps, got)
		}
		want := []string{"other=e"}
		if keeps {
			want = []string{session + "=a2", "other=e"}
		}
		if got := set(j, gone(session), value("other", "e")); !slices.Equal(got, want) {
			t.Errorf("keeps %t: taken back, it has %v", keeps, got)
		}
	}
}
