package idp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/secret"
)

func ExampleNew() {
	provider, err := idp.New(idp.Config{
		Issuer:   "http://idp.localhost:8080",
		Audience: "http://api.localhost:8080",
		Clients: []idp.Client{{
			ID: "app", Secret: secret.New("made at start"),
			RedirectURIs: []string{"http://localhost:8080/bff/callback"},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	recorder := httptest.NewRecorder()
	provider.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil))
	fmt.Println(recorder.Code)
	for _, user := range provider.Users() {
		fmt.Println(user.Name, user.Password)
	}
	// Output:
	// 200
	// alice wonderland
	// bob builder
}
