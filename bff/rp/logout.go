package rp

import "cloakroom/bff/secret"

// EndSessionURL returns where to send the browser so that the provider ends its
// own session too (RP-Initiated Logout 1.0 §2); false when the provider has no
// such place or is not known yet. The ID token in it is the one token a browser
// ever sees. state comes back with the browser and needs a PostLogoutURL.
func (p *Provider) EndSessionURL(idToken secret.String, state string) (string, bool) {
	provider, err := p.metadata()
	if err != nil || provider.endSessionURL == nil {
		return "", false
	}
	u := *provider.endSessionURL
	query := u.Query()
	query.Set("client_id", p.clientID)
	if !idToken.Empty() {
		query.Set("id_token_hint", idToken.Reveal())
	}
	if p.postLogoutURL != "" {
		query.Set("post_logout_redirect_uri", p.postLogoutURL)
		if state != "" {
			query.Set("state", state)
		}
	}
	u.RawQuery = query.Encode()
	return u.String(), true
}
