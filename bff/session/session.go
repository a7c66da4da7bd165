package session

import (
	"slices"
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
	// AuthTime is when the user last proved to the provider who they are, and
	// ACR how well; zero and empty when it did not say (OIDC Core §2).
	AuthTime time.Time
	ACR      string
	// Device is where the sign-in came from.
	Device Device

	Tokens Tokens
	// Renewed is when Tokens.Access was given.
	Renewed time.Time
	// Grants are further access tokens, for the APIs that want their own. They
	// all come from Tokens.Refresh.
	Grants []Grant
	// Refreshes counts the token requests whose result was kept. It is the
	// fence of the Lease: a result is only kept by who began at this count.
	Refreshes int
	Lease     Lease

	// Created is when the user signed in, LastSeen the last request, kept to a
	// coarse grain. Deadline is the absolute end. The Manager sets all three.
	Created, LastSeen, Deadline time.Time
}

// Device is where a sign-in came from, as far as its user may see it again.
type Device struct {
	UserAgent string // as the browser called itself, cut
	Address   string // the network, not the host
}

// Tokens are what a provider gave for a session.
type Tokens struct {
	Access, Refresh, ID secret.String
	// AccessExpires is the end of Access, RefreshExpires that of Refresh; zero
	// when the provider did not say.
	AccessExpires, RefreshExpires time.Time
	Scopes                        []string
	// Key is the private key that the tokens are bound to, if they are (DPoP,
	// RFC 9449); its form is the relying party's own.
	Key secret.String
}

// Grant is an access token for one API (RFC 8707).
type Grant struct {
	Resource string
	Scopes   []string // asked for, not granted: with Resource the name of the grant
	Access   secret.String
	Since    time.Time // when it was given
	Expires  time.Time // zero when the provider did not say
}

// Is reports whether g goes by this name.
func (g Grant) Is(resource string, scopes []string) bool {
	return g.Resource == resource && slices.Equal(g.Scopes, scopes)
}

// Grant returns the access token of a name; without resource and scopes the one
// that the session signed in for.
func (s *Session) Grant(resource string, scopes []string) (Grant, bool) {
	if resource == "" && len(scopes) == 0 {
		return Grant{Access: s.Tokens.Access, Since: s.Renewed, Expires: s.Tokens.AccessExpires}, true
	}
	for _, g := range s.Grants {
		if g.Is(resource, scopes) {
			return g, true
		}
	}
	return Grant{}, false
}

// Lease says that an instance is renewing the tokens just now. Others keep off
// while they see it change; one that stands still for its whole length was left
// by an instance that is gone.
type Lease struct {
	Holder string    // drawn anew for each attempt; "" when nobody is
	Beat   int       // counts how often the holder prolonged it
	Until  time.Time // by the holder's clock
}
