package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/sealed"
	"cloakroom/bff/session/storetest"
	"cloakroom/shared"
)

// weigh finds the sizes that need no measurement: of a record, and of a session's
// cookies as a browser sends them.
func (in *inputs) weigh() error {
	const from = "weighed by this program, 3.5 KB of tokens"
	crowd, err := storetest.NewCrowd()
	if err != nil {
		return err
	}
	in.put("record bytes", float64(len(crowd.Record().Data)), "B", from)
	in.put("ticket cookie bytes", float64(len(shared.CookieName)+len("=")+len(session.NewTicket().Reveal())), "B", from)
	cookies, err := sealedBytes()
	in.put("sealed cookie bytes", float64(cookies), "B", from+", `jwe`")
	return err
}

// sealedBytes is the length of the pairs of a session that its browser keeps.
func sealedBytes() (int, error) {
	held, err := memory.New(memory.Config{})
	if err != nil {
		return 0, err
	}
	ring := session.EphemeralKeyRing()
	sessions, err := session.New(held, session.Config{Keys: ring, Lifetimes: session.Lifetimes{Idle: time.Hour, Absolute: time.Hour}})
	if err != nil {
		return 0, err
	}
	jar, err := sealed.New(sealed.Config{Cookie: session.Cookie{Name: shared.CookieName}, Format: "jwe", Keys: ring, Sessions: sessions, Ended: sessions})
	if err != nil {
		return 0, err
	}
	ticket, err := sessions.Create(context.Background(), storetest.Someone(0))
	if err != nil {
		return 0, err
	}
	answer := httptest.NewRecorder()
	if err := jar.Give(answer, httptest.NewRequest(http.MethodGet, "/", nil), ticket); err != nil {
		return 0, err
	}
	n := 0
	for _, c := range answer.Result().Cookies() {
		if c.MaxAge >= 0 {
			n += len(c.Name) + len("=") + len(c.Value) + len("; ")
		}
	}
	return n, nil
}
