package session

import (
	"time"

	"cloakroom/bff/secret"
)

// Session is who is signed in and with which tokens.
type Session struct {
	// Issuer and Subject name the user, SID the session at the provider or, if
	// it gives none, at us.
	Issuer, Subject, SID string
	// Claims is a JSON array of shared.Claim, ready to be sent to the user.
	Claims []byte
	Tokens Tokens
	// Refreshes counts how often the tokens were renewed.
	Refreshes int

	// Created is when the user signed in, LastSeen the last request, kept to a
	// coarse grain. Deadline is the absolute end. The Manager sets all three.
	Created, LastSeen, Deadline time.Time
}

// Tokens are what a provider gave for a session.
type Tokens struct {
	Access, Refresh, ID secret.String
	// AccessExpires is the end of Access; zero when the provider did not say.
	AccessExpires time.Time
	Scopes        []string
}
