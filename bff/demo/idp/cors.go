package idp

import (
	"net/http"
	"slices"

	"github.com/rs/cors"
)

// toPages lets pages of other origins read what next answers, by CORS
// (BBA-56): the metadata and the keys those of every registered origin, the
// answer to a client those of its own. check, if any, stands before next and
// sees no preflight. Without a registered origin no answer changes: no page of
// another origin has business here.
//
// Never opened are the endpoints that people visit, and userinfo: its claims
// are in the ID token, and its caller cannot be told before it answers. No
// answer allows credentials, so the provider's cookies stay at home.
func (p *Provider) toPages(check func(http.Handler) http.Handler, next http.Handler) http.Handler {
	checked := next
	if check != nil {
		checked = check(next)
	}
	if len(p.origins("")) == 0 {
		return checked
	}
	policy := cors.New(cors.Options{
		AllowOriginVaryRequestFunc: p.mayRead,
		AllowedMethods:             []string{http.MethodGet, http.MethodPost},
		AllowedHeaders:             []string{"Content-Type", "DPoP"},
	})
	open := policy.Handler(next)
	if check != nil {
		open = check(open) // first, because it reads the form that mayRead looks into
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			policy.HandlerFunc(w, r)
			return
		}
		open.ServeHTTP(w, r)
	})
}

// mayRead: a preflight does not say which client calls, and is allowed what
// any client is.
func (p *Provider) mayRead(r *http.Request, origin string) (bool, []string) {
	client := ""
	if r.Method == http.MethodPost {
		if client = r.PostForm.Get("client_id"); client == "" {
			return false, nil // it has a secret, and no page
		}
	}
	return slices.Contains(p.origins(client), origin), nil
}

// origins are those of one client, or of all when id is empty.
func (p *Provider) origins(id string) []string {
	var list []string
	for _, c := range p.cfg.Clients {
		if id == "" || id == c.ID {
			list = append(list, c.AllowedOrigins...)
		}
	}
	return list
}

func (p *Provider) hasPublicClient() bool {
	return slices.ContainsFunc(p.cfg.Clients, func(c Client) bool { return c.Public })
}
