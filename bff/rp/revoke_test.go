package rp_test

import (
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

func TestRevokingTakesTheRefreshTokenFirst(t *testing.T) {
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		t.Run(method, func(t *testing.T) {
			i := newIDP()
			p, _ := start(t, i, func(c *rp.Config) { c.ClientAuth = method })
			if err := p.Revoke(t.Context(), held()); err != nil {
				t.Fatal(err)
			}
			want := []seen{
				{path: "/revoke", form: url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}}},
				{path: "/revoke", form: url.Values{"token": {access}, "token_type_hint": {"access_token"}}},
			}
			authenticated(method, &want[0])
			authenticated(method, &want[1])
			if diff := cmp.Diff(want, i.seen, cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestThereIsNothingToRevoke(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i)
	if err := p.Revoke(t.Context(), rp.Tokens{}); err != nil {
		t.Error(err)
	}
	delete(i.metadata, "revocation_endpoint")
	p, _ = start(t, i)
	if err := p.Revoke(t.Context(), held()); err != nil {
		t.Error(err)
	}
	if len(i.seen) != 0 {
		t.Errorf("asked %d times", len(i.seen))
	}
}

func TestRevokingFailsWhen(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		want   problem.Code // "" is success
	}{
		"the client is refused":                {401, `{"error":"invalid_client","error_description":"` + refresh + access + `"}`, problem.ProviderError},
		"the provider fails":                   {500, `{"error":"unsupported_token_type"}`, problem.ProviderError},
		"the answer is no JSON":                {400, refresh, problem.ProviderError},
		"the endpoint sends us elsewhere":      {302, ``, problem.ProviderError},
		"not, when the kind cannot be revoked": {400, `{"error":"unsupported_token_type"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, log := start(t, i)
			i.answers["/revoke"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://evil.example")
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			}
			err := p.Revoke(t.Context(), held())
			if row.want == "" && err != nil {
				t.Error(err)
			} else if row.want != "" {
				refuses(t, err, row.want, log)
			}
			if len(i.seen) != 2 {
				t.Errorf("asked %d times: the second token must be tried whatever the first did", len(i.seen))
			}
		})
	}
}

func TestSigningOutAtTheProvider(t *testing.T) {
	i := newIDP()
	const bye = "https://app.example/bye?a=b"
	for name, row := range map[string]struct {
		idToken, state, postLogout string
		want                       url.Values
	}{
		"with everything":           {"id-1", "st", bye, url.Values{"id_token_hint": {"id-1"}, "state": {"st"}, "post_logout_redirect_uri": {bye}}},
		"without state":             {"id-1", "", bye, url.Values{"id_token_hint": {"id-1"}, "post_logout_redirect_uri": {bye}}},
		"without an ID token":       {"", "st", bye, url.Values{"state": {"st"}, "post_logout_redirect_uri": {bye}}},
		"without a way to go after": {"id-1", "st", "", url.Values{"id_token_hint": {"id-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := start(t, i, func(c *rp.Config) { c.PostLogoutURL = row.postLogout })
			got, ok := p.EndSessionURL(secret.New(row.idToken), row.state)
			u, err := url.Parse(got)
			if !ok || err != nil || u.Scheme+"://"+u.Host+u.Path != issuer+"/logout" {
				t.Fatalf("got %q, %v, %v", got, ok, err)
			}
			row.want.Set("client_id", clientID)
			row.want.Set("tenant", "a")
			if diff := cmp.Diff(row.want, u.Query()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	delete(i.metadata, "end_session_endpoint")
	p, _ := start(t, i)
	if got, ok := p.EndSessionURL(secret.New("id-1"), ""); ok || got != "" {
		t.Errorf("without an endpoint: %q", got)
	}
}
