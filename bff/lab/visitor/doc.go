// Package visitor is people who sign in at a Cloakroom and go on calling, by
// HTTP alone.
//
// It owns what a browser would: cookies, the whole code flow at the provider's
// pages, the headers of visits and of scripts; and it reads an answer down to
// who it is for. It judges nothing, and knows the server by its origin only.
//
//	Visitor.SignIn:  /bff/login -> the provider's forms -> /bff/callback -> /bff/user
//	Visitor.Call:    one call of a script, with the cookies there are
//	Visitor.SignOut: the session's own link
package visitor
