package ui

import (
	"strings"

	"cloakroom/shared"
)

// Lifetime is one of the clocks that run while somebody is signed in.
type Lifetime struct {
	ID     string // as the page's data-lifetime names it
	Name   string
	Ends   int64  // Unix seconds; 0: then Unsaid says why
	Over   string // what to say when it is over
	Unsaid string
	Means  string
}

// LifetimesOf are the four ends of what the server holds: two of the session,
// which concern the user, and two of tokens, which concern the server. Further
// tokens, for single APIs, come after them.
func LifetimesOf(h shared.Holdings) []Lifetime {
	access := Lifetime{ID: "access", Name: "Access token", Over: "over", Unsaid: "Not said",
		Means: "Opens the API. The server renews it with a call near its end, or after; you notice nothing."}
	refresh := Lifetime{ID: "refresh", Name: "Refresh token", Over: "over", Unsaid: "None",
		Means: "There is none, so nothing can be renewed: when the access token ends, you sign in again."}
	var further []Lifetime
	for _, t := range h.Tokens {
		switch {
		case t.Further():
			further = append(further, Lifetime{ID: "further", Name: "For " + purpose(t), Ends: t.Expires, Over: "over", Unsaid: "Not said",
				Means: "Opens that API and no other. It is got with the refresh token, when a call needs it."})
		case t.Kind == shared.TokenAccess:
			access.Ends = t.Expires
		case t.Kind == shared.TokenRefresh:
			refresh.Ends, refresh.Unsaid = t.Expires, "Only the provider knows"
			refresh.Means = "Renews the access token. When the provider ends it, you sign in again."
			if t.Expires != 0 { // BBA-9
				refresh.Means = "Renews the access token. The session ends with it, used or not."
			}
		}
	}
	if refresh.Unsaid == "None" {
		access.Means = "Opens the API. Nothing renews it: when it ends, you sign in again."
	}
	return append([]Lifetime{
		{ID: "idle", Name: "Session, unused", Ends: h.Session.IdleExpires, Over: "over", Unsaid: "Not said",
			Means: "Starts anew whenever you use the application."},
		{ID: "absolute", Name: "Session, at the latest", Ends: h.Session.AbsoluteExpires, Over: "over", Unsaid: "Not said",
			Means: "Set when you signed in. No use puts it off; then you sign in again."},
		access, refresh,
	}, further...)
}

// purpose is what a further token is for. Only names of the configuration are
// in it.
func purpose(t shared.TokenFacts) string {
	scopes := strings.Join(t.Scopes, " ")
	switch {
	case t.Resource == "":
		return scopes
	case scopes == "":
		return t.Resource
	}
	return t.Resource + " (" + scopes + ")"
}
