package idp

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// Grant types, as Requests counts them.
const (
	GrantCode    = string(oidc.GrantTypeCode)
	GrantRefresh = string(oidc.GrantTypeRefreshToken)
)

type counts struct {
	mu      sync.Mutex
	byGrant map[string]int
}

// maxGrantTypes bounds the map against made-up grant types.
const maxGrantTypes = 32

func (c *counts) add(grant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.byGrant[grant]; known || len(c.byGrant) < maxGrantTypes {
		c.byGrant[grant]++
	}
}

// Requests counts the token requests of a grant type that arrived since New,
// whatever was answered.
func (p *Provider) Requests(grant string) int {
	p.counts.mu.Lock()
	defer p.counts.mu.Unlock()
	return p.counts.byGrant[grant]
}

// WaitHeld returns when FaultTokenSlow holds exactly n token requests, or with
// an error when ctx ends first. A caller that leaves is not held any more.
func (p *Provider) WaitHeld(ctx context.Context, n int) error { return p.gate.waitHeld(ctx, n) }

// Family is a living grant: all tokens that descend from one code.
type Family struct {
	ID         string
	ClientID   string
	Subject    string
	SID        string // the `sid` of its ID tokens
	Generation int    // of its good refresh token, from 1; 0 when it has none
	Expires    time.Time
}

// Families lists the families that are alive, oldest end first.
func (p *Provider) Families() []Family {
	var families []Family
	for _, g := range p.state.liveGrants() {
		family := Family{ID: g.id, ClientID: g.clientID, Subject: g.subject, SID: g.sid, Expires: g.expires}
		if g.refreshes {
			family.Generation = int(g.generation)
		}
		families = append(families, family)
	}
	slices.SortFunc(families, func(a, b Family) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID))
	})
	return families
}

// Revoke ends a family without telling anybody, as a provider's administrator
// can, and reports whether it was alive.
func (p *Provider) Revoke(family string) bool { return p.state.revokeGrant(family) }
