package ui

import (
	"net/url"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
)

// The pages.
const (
	pathHome      = "/"
	pathOrders    = "/orders"
	pathSession   = "/session"
	pathInspector = "/inspector"
	pathLab       = "/lab"
	pathTry       = "/lab/try"
	pathPlay      = "/lab/topologies"
)

// PathNotFound is where the page for unknown addresses can be rendered from.
const PathNotFound = "/not-found"

// Paths are the addresses of the pages, PathNotFound not among them.
func Paths() []string {
	return []string{pathHome, pathOrders, pathSession, pathInspector, pathLab, pathTry, pathPlay}
}

// Register tells go-app the pages. The browser's main and the server call it
// both; for the server, which only prerenders, client is nil.
func Register(client Client) {
	for _, path := range append(Paths(), PathNotFound) {
		app.Route(path, func() app.Composer { return newShell(path, client) })
	}
	if app.IsClient {
		// On the server an unknown address is an answer of its own, 404.
		app.RouteWithRegexp(".", func() app.Composer { return newShell(PathNotFound, client) })
	}
}

// titles are the pages' names in tabs and histories.
func title(page string) string {
	switch page {
	case pathHome:
		return "Cloakroom"
	case pathOrders:
		return "Orders · Cloakroom"
	case pathSession:
		return "Your session · Cloakroom"
	case pathInspector:
		return "What can this page see? · Cloakroom"
	case pathLab:
		return "The lab · Cloakroom"
	case pathTry:
		return "Try the lab · Cloakroom"
	case pathPlay:
		return "Topologies · Cloakroom"
	}
	return "Not found · Cloakroom"
}

// loginURL is the way to sign in and come back to here, a local path.
func loginURL(here string) string {
	if here == PathNotFound {
		here = pathHome
	}
	return shared.PathLogin + "?" + shared.ParamReturnURL + "=" + url.QueryEscape(here)
}
