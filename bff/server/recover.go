package server

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"cloakroom/bff/respond"
)

// recoverer answers for a handler that panicked, logs where, and keeps the
// process alive. http.ErrAbortHandler is no accident: it cuts an answer off
// whose source broke, and goes on to net/http.
func recoverer(answer *respond.Responder, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			answer.Error(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}
