// Package spa serves the single-page application.
//
// It owns GET and HEAD of everything that no other route takes, in one of
// three ways: the embedded Go/Wasm application, a folder with an application of
// any framework, or the dev server of one. It never sees a session: what it
// sends is the same for everybody. The security headers come from outside.
//
//	Config -> New -> SPA (http.Handler)
//	                  +-> embedded: pages rendered once at start, /web/ files
//	                  +-> folder:   files below one root, index.html for navigations
//	                  +-> dev server: a reverse proxy to loopback
//
// go-app's own handler never sees a live request. New asks it once for each
// page and script, with an address of our own making, and keeps the bytes. So
// its known weaknesses have no input: attribute values it does not escape,
// files it would fetch from the request's Host, one ETag for everything.
package spa
