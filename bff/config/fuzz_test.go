package config_test

import (
	"strings"
	"testing"

	"cloakroom/bff/config"
)

// canary stands for a secret anywhere in the input: none of it may come out.
const canary = "hunter2-HUNTER2"

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		good, minimal, "", "---\n---\n", "a: &a [*a]", "<<: {a: b}", "? [a]\n: b", "!!binary x: y",
		strings.Replace(good, "client_secret: ", "client_secret: *", 1),
		strings.Replace(good, "client_secret: ", "client_secret: &", 1),
		strings.Replace(good, "client_secret: ", "client_secret: !", 1),
		strings.Replace(good, "client_secret: ", "client_secret_file: ", 1),
		strings.Replace(good, "client_secret: "+canary, canary+": client_secret", 1),
		"public_url: https://u:" + canary + "@host", "listen: " + canary, "%TAG ! " + canary, "spa: {dir: " + canary + "}",
		"tls: {cert_file: " + canary + ", key_file: " + canary + "}", "session: {keys: [{id: k, secret: " + canary + "}]}",
		"log: {level: \"" + canary + "}", "api: [{path: /" + canary + ", upstream: \"http://%" + canary + "\"}]",
	} {
		f.Add(seed, "")
		f.Add(minimal, seed)
	}
	f.Fuzz(func(t *testing.T, text, variable string) {
		environ := []string{
			"CLOAKROOM_API=" + variable, "CLOAKROOM_PROVIDER=" + variable, "CLOAKROOM_SESSION_IDLE_TIMEOUT=" + variable,
		}
		if variable == "" {
			environ = nil
		}
		c, err := config.Parse(file, []byte(text), environ)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v with error %v", c, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Fatalf("the error holds the secret: %v", err)
		}
		if err == nil && (c.PublicURL == nil || c.Provider.ClientSecret.Empty() || c.Session.IdleTimeout <= 0) {
			t.Fatalf("a broken configuration passes: %+v", c)
		}
	})
}
