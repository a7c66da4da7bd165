package rp_test

import (
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

const ordersAPI, stockAPI = "https://orders.example/v1", "urn:stock"

func withResources(c *rp.Config) {
	c.Resource, c.MoreResources = []string{ordersAPI}, []string{stockAPI, ordersAPI}
}

func TestASignInAsksForEveryResourceAndItsTokenForItsOwn(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i, withResources)
	redirect, _, err := p.Begin(t.Context(), rp.AuthRequest{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{ordersAPI, stockAPI}, u.Query()["resource"]); diff != "" {
		t.Errorf("authorization -want +got:\n%s", diff)
	}
	signIn(t, i, p)
	if diff := cmp.Diff([]string{ordersAPI}, i.seen[0].form["resource"]); diff != "" {
		t.Errorf("token request -want +got:\n%s", diff)
	}
}

func TestATokenIsRenewedForItsTarget(t *testing.T) {
	for name, row := range map[string]struct {
		target rp.Target
		form   url.Values // besides the grant
		scopes []string
	}{
		"as signed in":          {rp.Target{}, url.Values{"resource": {ordersAPI}}, []string{"openid", "profile"}},
		"for another API":       {rp.Target{Resource: stockAPI}, url.Values{"resource": {stockAPI}}, []string{"openid", "profile"}},
		"with fewer scopes":     {rp.Target{Scopes: []string{"stock.read", "openid"}}, url.Values{"resource": {ordersAPI}, "scope": {"stock.read openid"}}, []string{"stock.read", "openid"}},
		"for another, narrowed": {rp.Target{Resource: stockAPI, Scopes: []string{"stock.read"}}, url.Values{"resource": {stockAPI}, "scope": {"stock.read"}}, []string{"stock.read"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, _ := start(t, i, withResources)
			_, old := signIn(t, i, p)
			old.RefreshExpires = now.Add(time.Hour)
			i.seen = nil
			i.tokens = map[string]any{"access_token": access2, "token_type": "Bearer", "id_token": nil}
			got, err := p.Refresh(t.Context(), old, row.target)
			if err != nil {
				t.Fatal(err)
			}
			want := rp.Tokens{Access: secret.New(access2), Refresh: old.Refresh, ID: old.ID, RefreshExpires: old.RefreshExpires, Scopes: row.scopes}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(secret.String{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
			maps.Copy(form, row.form)
			if diff := cmp.Diff(form, i.seen[0].form); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if len(i.seen) != 1 {
				t.Errorf("asked %d times", len(i.seen))
			}
		})
	}
}

// TestATargetThatIsRefusedIsSaidToBe, so that nobody asks for it once more.
func TestATargetThatIsRefusedIsSaidToBe(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		want   problem.Code
	}{
		"the resource":      {400, `{"error":"invalid_target","error_description":"` + refresh + `"}`, problem.TokenUnavailable},
		"the scopes":        {400, `{"error":"invalid_scope"}`, problem.TokenUnavailable},
		"something else":    {400, `{"error":"invalid_request"}`, problem.ProviderError},
		"by one in trouble": {503, `{"error":"invalid_target"}`, problem.ProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			i, p, old, told := renewal(t, "")
			i.answer("/token", row.status, row.body)
			_, err := p.Refresh(t.Context(), old, rp.Target{Resource: "urn:billing"})
			refuses(t, err, row.want, nil, refresh)
			untold(t, told(), refresh)
		})
	}
}

// A refresh token that is rotated has a life of its own.
func TestANewRefreshTokenDoesNotInheritTheOldOnesEnd(t *testing.T) {
	i, p, old, _ := renewal(t, "")
	old.RefreshExpires = now.Add(time.Hour)
	got, err := p.Refresh(t.Context(), old, rp.Target{})
	if err != nil || got.Refresh.Reveal() != refresh2 || !got.RefreshExpires.IsZero() {
		t.Errorf("err %v, expires %v", err, got.RefreshExpires)
	}
	i.tokens["refresh_expires_in"] = 60
	got, err = p.Refresh(t.Context(), old, rp.Target{})
	if err != nil || !got.RefreshExpires.Equal(now.Add(time.Minute)) {
		t.Errorf("err %v, expires %v", err, got.RefreshExpires)
	}
}
