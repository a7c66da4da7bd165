package rp_test

import (
	"strings"
	"testing"
	"time"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
)

func TestAConfigIsRefusedWhen(t *testing.T) {
	for name, row := range map[string]struct {
		edit func(*rp.Config)
		want string
	}{
		"there is no issuer":                   {func(c *rp.Config) { c.Issuer = "" }, "issuer:"},
		"the issuer is plain http":             {func(c *rp.Config) { c.Issuer = "http://idp.example" }, "issuer:"},
		"the issuer only looks like loopback":  {func(c *rp.Config) { c.Issuer = "http://localhost.example" }, "issuer:"},
		"the issuer has a query":               {func(c *rp.Config) { c.Issuer += "?a=b" }, "issuer:"},
		"the issuer has a fragment":            {func(c *rp.Config) { c.Issuer += "#" }, "issuer:"},
		"the issuer names a user":              {func(c *rp.Config) { c.Issuer = "https://u:hunter2@idp.example" }, "issuer:"},
		"the issuer is no URL":                 {func(c *rp.Config) { c.Issuer = "https://hunter2%zz" }, "issuer:"},
		"there is no client id":                {func(c *rp.Config) { c.ClientID = "" }, "client id:"},
		"there is no client secret":            {func(c *rp.Config) { c.ClientSecret = secret.String{} }, "client secret:"},
		"the client authentication is unknown": {func(c *rp.Config) { c.ClientAuth = "none" }, "client auth:"},
		"there is no client key":               {func(c *rp.Config) { c.ClientAuth = "private_key_jwt" }, "client key:"},
		"the client key is none":               {func(c *rp.Config) { c.ClientAuth, c.ClientKey = "private_key_jwt", secret.New("hunter2") }, "client key:"},
		"the ID token's algorithm is none":     {func(c *rp.Config) { c.IDTokenAlg = "none" }, "id token alg:"},
		"the ID token's algorithm is shared":   {func(c *rp.Config) { c.IDTokenAlg = "HS256" }, "id token alg:"},
		"a resource is a word":                 {func(c *rp.Config) { c.Resource = []string{"orders"} }, "resource:"},
		"a resource has a fragment":            {func(c *rp.Config) { c.MoreResources = []string{"https://api.example#x"} }, "resource:"},
		"there is no redirect URL":             {func(c *rp.Config) { c.RedirectURL = "" }, "redirect url:"},
		"the redirect URL is a path":           {func(c *rp.Config) { c.RedirectURL = "/bff/callback" }, "redirect url:"},
		"the post logout URL is plain http":    {func(c *rp.Config) { c.PostLogoutURL = "http://app.example/" }, "post logout url:"},
		"openid is not asked for":              {func(c *rp.Config) { c.Scopes = []string{"profile"} }, "scopes:"},
		"a scope is two":                       {func(c *rp.Config) { c.Scopes = []string{"openid", "a b"} }, "scopes:"},
		"the timeout is negative":              {func(c *rp.Config) { c.Timeout = -1 }, "timeout:"},
		"the skew is negative":                 {func(c *rp.Config) { c.ClockSkew = -1 }, "clock skew:"},
		"the skew is an hour":                  {func(c *rp.Config) { c.ClockSkew = time.Hour }, "clock skew:"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newIDP().config()
			row.edit(&c)
			_, err := rp.New(c)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want a problem with %q", err, row.want)
			}
			untold(t, err.Error(), clientSecret, "hunter2")
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("one broken property gave more than one problem: %v", err)
			}
		})
	}
}

func TestAllProblemsOfAConfigComeTogether(t *testing.T) {
	_, err := rp.New(rp.Config{})
	for _, want := range []string{"issuer:", "client id:", "client secret:", "redirect url:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %q", err, want)
		}
	}
}

func TestPlainHTTPIsAllowedOnLoopback(t *testing.T) {
	for _, issuer := range []string{"http://localhost:8080", "http://idp.localhost:8080/", "http://127.0.0.1", "http://[::1]:1/a"} {
		c, _ := newIDP().config()
		c.Issuer = issuer
		if _, err := rp.New(c); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

func TestPlainHTTPElsewhereNeedsItsSwitch(t *testing.T) {
	c, _ := newIDP().config()
	c.Issuer, c.RedirectURL, c.PostLogoutURL = "http://idp.internal:8080", "http://app.internal/bff/callback", "http://app.internal/"
	if _, err := rp.New(c); err == nil {
		t.Error("accepted without the switch")
	}
	c.InsecureHTTP = true
	if _, err := rp.New(c); err != nil {
		t.Error(err)
	}
}
