// Package ui is the single-page application: its pages, and the plain models
// behind them.
//
// It owns what a person sees in every state: not known yet, signed out, signed
// in, session ended, server down. It never sees a token, never talks HTTP (its
// Client does) and never stores anything but the user's own unsent text.
//
//	Register -> shell (session, navigation, live region)
//	              +-> home | orders | session | inspector | not found
//	hook -> ctx.Async -> Client -> ctx.Dispatch -> model method -> Render
//
// Models are structs with value semantics and no go-app in them; they hold the
// rules and are tested natively. Components only wire. The server prerenders
// the "not known yet" state, and the first render in the browser equals it,
// because no request-derived value enters a component before it is mounted.
package ui
