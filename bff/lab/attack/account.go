package attack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// account is somebody's way into an application without a browser: by HTTP
// alone, with cookies of its own.
type account struct {
	attacker *attacker
	target   lab.Strategy
	verifier string              // of a public client
	cookies  map[string][]cookie // by host
	tokens   tokens              // of a public client
}

// cookie keeps what was set, in that order: net/http/cookiejar would not send
// Secure ones to loopback, as browsers do.
type cookie struct{ name, value string }

// tokens is what a token endpoint gives.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// at reports the cookies that go to an address, as a Cookie header.
func (a *account) at(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	var pairs []string
	for _, c := range a.cookies[u.Hostname()] {
		pairs = append(pairs, c.name+"="+c.value)
	}
	return strings.Join(pairs, "; ")
}

func (a *account) keep(host string, set []*http.Cookie) {
	for _, c := range set {
		a.cookies[host] = slices.DeleteFunc(a.cookies[host], func(old cookie) bool { return old.name == c.Name })
		if c.MaxAge >= 0 {
			a.cookies[host] = append(a.cookies[host], cookie{c.Name, c.Value})
		}
	}
}

// newAccount begins a sign-in at an application and returns where it goes on.
func (a *attacker) newAccount(s lab.Strategy) (in *account, start string) {
	in = &account{attacker: a, target: s, cookies: map[string][]cookie{}}
	if mediated(s) {
		return in, a.world.Origin(s.ID) + "/sign-in"
	}
	if !s.Public {
		return in, a.world.Origin(s.ID) + shared.PathLogin + "?" + url.Values{shared.ParamReturnURL: {"/"}}.Encode()
	}
	verifier, challenge := proof()
	in.verifier = verifier
	return in, a.world.Issuer() + "/authorize?" + a.question(s, verifier[:8], challenge).Encode()
}

// signIn signs a user in at an application.
func (a *attacker) signIn(ctx context.Context, s lab.Strategy, user, password string) (*account, error) {
	in, start := a.newAccount(s)
	callback, err := in.answer(ctx, start, user, password)
	if err == nil {
		err = in.finish(ctx, callback)
	}
	if err != nil {
		return nil, fmt.Errorf("attack: sign %s in outside the browser: %w", user, err)
	}
	return in, nil
}

// maxSteps bounds the redirects and forms of one sign-in.
const maxSteps = 20

// answer goes from start to the provider's answer and returns its address,
// without going there.
func (a *account) answer(ctx context.Context, start, user, password string) (callback string, err error) {
	method, address, form := http.MethodGet, start, url.Values(nil)
	for range maxSteps {
		if strings.HasPrefix(address, a.attacker.world.RedirectURI(a.target)+"?") || strings.Contains(address, "#access_token=") {
			return address, nil
		}
		resp, err := a.send(ctx, method, address, form)
		if err != nil {
			return "", err
		}
		if next := resp.next; next != "" {
			method, address, form = http.MethodGet, next, nil
			continue
		}
		if resp.form == nil {
			return "", fmt.Errorf("%s has no form (%d)", address, resp.status)
		}
		method, address, form = http.MethodPost, resp.action, resp.form
		if form.Has("password") {
			form.Set("username", user)
			form.Set("password", password)
		}
		if form.Has("decision") {
			form.Set("decision", "allow")
		}
	}
	return "", errors.New("it does not end")
}

// finish takes the provider's answer to the application: to its server, or, if
// it is a public client, does what its page does.
func (a *account) finish(ctx context.Context, callback string) error {
	if !a.target.Public {
		for range maxSteps {
			resp, err := a.send(ctx, http.MethodGet, callback, nil)
			if err != nil {
				return err
			}
			if resp.next == "" {
				if resp.status >= http.StatusBadRequest {
					return fmt.Errorf("%s answered %d", shared.PathCallback, resp.status)
				}
				return nil
			}
			callback = resp.next
		}
		return errors.New("the way back does not end")
	}
	u, err := url.Parse(callback)
	if err != nil {
		return err
	}
	if fragment, err := url.ParseQuery(u.Fragment); err == nil && fragment.Get("access_token") != "" {
		a.tokens = tokens{Access: fragment.Get("access_token"), ID: fragment.Get("id_token")}
		return nil
	}
	resp, err := a.send(ctx, http.MethodPost, a.attacker.world.Issuer()+"/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {a.attacker.world.ClientID(a.target.ID)}, "code": {u.Query().Get("code")},
		"redirect_uri": {a.attacker.world.RedirectURI(a.target)}, "code_verifier": {a.verifier},
	})
	if err != nil {
		return err
	}
	if json.Unmarshal(resp.body, &a.tokens) != nil || a.tokens.Access == "" {
		return fmt.Errorf("the token endpoint answered %d", resp.status)
	}
	return nil
}

// reply is what a client without a browser makes of an answer.
type reply struct {
	status int
	body   []byte
	next   string // where it redirects
	action string // of its form
	form   url.Values
}

func (a *account) send(ctx context.Context, method, address string, form url.Values) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "none")
	if cookies := a.at(address); cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if bound(a.target) && strings.HasSuffix(r.URL.Path, "/oauth/token") {
		if err := a.attacker.prove(r, ""); err != nil {
			return reply{}, err
		}
	}
	resp, err := a.attacker.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	a.keep(r.URL.Hostname(), resp.Cookies())
	got := reply{status: resp.StatusCode}
	if next, err := resp.Location(); err == nil {
		got.next = next.String()
		return got, nil
	}
	if got.body, err = readAll(resp.Body); err != nil {
		return reply{}, err
	}
	got.read(r.URL)
	return got, nil
}

// read finds the first form, with its fields and buttons as they stand.
func (r *reply) read(base *url.URL) {
	tokens := html.NewTokenizer(strings.NewReader(string(r.body)))
	for {
		if tokens.Next() == html.ErrorToken {
			return
		}
		token, attributes := tokens.Token(), map[string]string{}
		for _, attribute := range token.Attr {
			attributes[attribute.Key] = attribute.Val
		}
		switch {
		case token.Type == html.EndTagToken && token.Data == "form":
			return
		case token.Type == html.StartTagToken && token.Data == "form":
			action, err := base.Parse(cmp.Or(attributes["action"], base.String()))
			if err != nil {
				return
			}
			r.action, r.form = action.String(), url.Values{}
		case r.form != nil && attributes["name"] != "" && !r.form.Has(attributes["name"]):
			r.form.Set(attributes["name"], attributes["value"])
		}
	}
}

// orders asks for the account's own orders, as the application would.
func (a *account) orders(ctx context.Context) ([]shared.Order, error) {
	answer, body, err := a.attacker.spend(ctx, a.target, a.at(a.attacker.world.Origin(a.target.ID)), a.tokens.Access, "")
	if err != nil {
		return nil, err
	}
	var page shared.OrderPage
	if err := json.Unmarshal(body, &page); err != nil || answer.Status != http.StatusOK {
		return nil, fmt.Errorf("attack: the attacker's own orders answered %d: %w", answer.Status, err)
	}
	return page.Orders, nil
}

// mediated reports whether an application's server hands its page tokens.
func mediated(s lab.Strategy) bool { return s.TokensInPage && !s.Public }

// spend asks for orders as the application itself would: with a token, of the
// API, or else with cookies, of the application's own server; or, where that
// hands out tokens, with one that it gave for the cookies.
func (a *attacker) spend(ctx context.Context, s lab.Strategy, cookies, token, with string) (lab.Answer, []byte, error) {
	origin := a.world.Origin(s.ID)
	method, address, form := http.MethodGet, origin+"/api/orders", ""
	switch {
	case token != "":
		address = a.world.API() + "/orders"
	case mediated(s):
		method, address, form = http.MethodPost, origin+"/token", url.Values{"scope": {"orders"}, "resource": {a.world.API()}}.Encode()
	}
	r, err := http.NewRequest(method, address, strings.NewReader(form))
	if err != nil {
		return lab.Answer{}, nil, err
	}
	if token != "" {
		if err := a.prove(r, token); err != nil {
			return lab.Answer{}, nil, err
		}
		return a.ask(ctx, r, with)
	}
	r.Header.Set("Cookie", cookies)
	r.Header.Set("Origin", origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, body, err := a.ask(ctx, r, with)
	var got tokens
	if err == nil && mediated(s) && json.Unmarshal(body, &got) == nil && got.Access != "" {
		return a.spend(ctx, s, "", got.Access, with)
	}
	return answer, body, err
}

// mallory is who the attacker is at the provider.
var mallory = strategy.Stranger
