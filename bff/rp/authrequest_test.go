package rp_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

func TestWhatASignInMayAskFor(t *testing.T) {
	for name, row := range map[string]struct {
		prompt, maxAge, acrValues string
		ok                        bool
	}{
		"nothing":                          {"", "", "", true},
		"everything":                       {"login", "3600", "urn:gold urn:silver", true},
		"a sign-in just now":               {"", "0", "", true},
		"a prompt that is none":            {"maybe", "", "", false},
		"an age with a sign":               {"", "+5", "", false},
		"an age below nothing":             {"", "-1", "", false},
		"an age with a zero in front":      {"", "05", "", false},
		"an age with a fraction":           {"", "1.5", "", false},
		"an age with a unit":               {"", "5m", "", false},
		"an age beyond a lifetime":         {"", "2147483647", "", false},
		"an age beyond all calendars":      {"", "99999999999999999999", "", false},
		"a way of signing in in quotes":    {"", "", `"gold"`, false},
		"one with a line break":            {"", "", "gold\nsilver", false},
		"one that is not ASCII":            {"", "", "göld", false},
		"one twice":                        {"", "", "gold gold", false},
		"an empty one":                     {"", "", "gold  silver", false},
		"as many as there is room for":     {"", "", strings.Repeat("a", 256), true},
		"more than there is room for":      {"", "", strings.Repeat("a", 257), false},
		"nothing but a space between them": {"", "", " ", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, log := start(t, newIDP())
			request, err := rp.ParseAuthRequest(row.prompt, row.maxAge, row.acrValues)
			if !row.ok {
				refuses(t, err, problem.ParameterInvalid, log)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			redirect, pending, err := p.Begin(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(redirect)
			if err != nil {
				t.Fatal(err)
			}
			for param, want := range map[string]string{"prompt": row.prompt, "max_age": row.maxAge, "acr_values": row.acrValues} {
				if got := u.Query(); got.Get(param) != want || got.Has(param) != (want != "") {
					t.Errorf("%s is %q, want %q", param, got.Get(param), want)
				}
			}
			if pending.MaxAge != row.maxAge || pending.ACRValues != row.acrValues {
				t.Errorf("remembered as %+v", pending)
			}
		})
	}
}

func TestARequestMadeInCodeIsCheckedToo(t *testing.T) {
	p, log := start(t, newIDP())
	half, negative := time.Second/2, -time.Second
	for name, request := range map[string]rp.AuthRequest{
		"half a second":   {MaxAge: &half},
		"less than none":  {MaxAge: &negative},
		"two in one":      {ACRValues: []string{"gold silver"}},
		"an empty one":    {ACRValues: []string{""}},
		"far too many":    {ACRValues: slices.Repeat([]string{strings.Repeat("a", 50)}, 6)},
		"a strange thing": {Prompt: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := p.Begin(t.Context(), request)
			refuses(t, err, problem.ParameterInvalid, log)
		})
	}
}

func TestASignInIsHeldToWhatWasAsked(t *testing.T) {
	ago := func(d time.Duration) int64 { return now.Add(-d).Unix() }
	for name, row := range map[string]struct {
		maxAge, acrValues string
		claims            map[string]any
		want              problem.Code // "" is success
	}{
		"nothing was asked, nothing is said":     {"", "", nil, ""},
		"recent enough":                          {"60", "", map[string]any{"auth_time": ago(60 * time.Second)}, ""},
		"recent enough within the skew":          {"60", "", map[string]any{"auth_time": ago(90 * time.Second)}, ""},
		"too long ago":                           {"60", "", map[string]any{"auth_time": ago(91 * time.Second)}, problem.LoginTooWeak},
		"asked for now, was now":                 {"0", "", map[string]any{"auth_time": ago(0)}, ""},
		"asked for now, was before":              {"0", "", map[string]any{"auth_time": ago(31 * time.Second)}, problem.LoginTooWeak},
		"asked when, not said":                   {"60", "", nil, problem.IDTokenClaims},
		"asked when, said in words":              {"60", "", map[string]any{"auth_time": "now"}, problem.IDTokenClaims},
		"asked when, said null":                  {"60", "", map[string]any{"auth_time": nil}, problem.IDTokenClaims},
		"strong enough":                          {"", "silver gold", map[string]any{"acr": "gold"}, ""},
		"not strong enough":                      {"", "gold", map[string]any{"acr": "silver"}, problem.LoginTooWeak},
		"asked how well, not said":               {"", "gold", nil, problem.LoginTooWeak},
		"asked how well, said with other things": {"", "gold", map[string]any{"acr": "gold silver"}, problem.LoginTooWeak},
		"asked how well, said in a list":         {"", "gold", map[string]any{"acr": []string{"gold"}}, problem.LoginTooWeak},
		"asked how well, said nothing":           {"", "gold", map[string]any{"acr": ""}, problem.LoginTooWeak},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, log := start(t, i)
			for claim, value := range row.claims {
				i.claims[claim] = value
			}
			request, err := rp.ParseAuthRequest("", row.maxAge, row.acrValues)
			if err != nil {
				t.Fatal(err)
			}
			_, pending, err := p.Begin(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			i.claims["nonce"] = pending.Nonce
			id, tokens, err := p.Redeem(t.Context(), pending, url.Values{"code": {code}, "state": {pending.State}})
			if row.want != "" {
				refuses(t, err, row.want, log, pending.Verifier)
				if id.Subject != "" || !tokens.Access.Empty() {
					t.Error("signed in all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if acr, _ := row.claims["acr"].(string); id.ACR != acr {
				t.Errorf("acr is %q", id.ACR)
			}
		})
	}
}

func TestAPendingSignInWhoseAgeCannotBeReadIsNone(t *testing.T) {
	i := newIDP()
	p, log := start(t, i)
	pending, query := begin(t, i, p)
	pending.MaxAge = "soon"
	_, _, err := p.Redeem(t.Context(), pending, query)
	refuses(t, err, problem.LoginStateInvalid, log)
	if len(i.seen) != 0 {
		t.Error("the code was spent")
	}
}

func TestASilentSignInThatNeedsSomebodyIsNoFailure(t *testing.T) {
	for _, code := range []string{"login_required", "interaction_required", "account_selection_required", "consent_required"} {
		for prompt, want := range map[string]problem.Code{"none": problem.LoginNotSilent, "login": problem.LoginDenied, "": problem.LoginDenied} {
			i := newIDP()
			p, log := start(t, i)
			_, pending, err := p.Begin(t.Context(), rp.AuthRequest{Prompt: prompt})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = p.Redeem(t.Context(), pending, url.Values{"error": {code}, "state": {pending.State}})
			refuses(t, err, want, log)
		}
	}
}
