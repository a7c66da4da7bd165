package attack

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/shared/lab"
)

func jwt(typ string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"`+typ+`"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + ".c2ln"
}

func TestWhatIsWorthStealingIsFoundWhereverItIs(t *testing.T) {
	access, id, refresh := jwt("at+jwt"), jwt("JWT"), "AAAAAAAAAAAAAAAAAAAAAAAAAAA-_"
	for name, row := range map[string]struct {
		places map[string]string
		want   []piece
	}{
		"nothing": {map[string]string{"localStorage": "{}", "fetch": "x-csrf: 1", placeCookies: ""}, nil},
		"JSON in JSON": {map[string]string{"localStorage": `{"tokens":"{\"access_token\":\"` + access + `\",\"refresh_token\":\"` + refresh + `\"}"}`},
			[]piece{{lab.KindAccess, "localStorage", access}, {lab.KindRefresh, "localStorage", refresh}}},
		"JSON": {map[string]string{"globals": `session={"access_token":"` + access + `","refresh_token":"` + refresh + `","id_token":"` + id + `"}`},
			[]piece{{lab.KindAccess, "globals", access}, {lab.KindID, "globals", id}, {lab.KindRefresh, "globals", refresh}}},
		"a header on its way":    {map[string]string{"fetch": "authorization: Bearer " + access}, []piece{{lab.KindAccess, "fetch", access}}},
		"the same in two places": {map[string]string{"fetch": access, "indexedDB": access}, []piece{{lab.KindAccess, "indexedDB", access}}},
		"cookies": {map[string]string{placeCookies: "refresh_token=" + refresh + "; a=b"},
			[]piece{{lab.KindRefresh, placeCookies, refresh}, {lab.KindCookie, placeCookies, "refresh_token=" + refresh + "; a=b"}}},
		"a ticket": {map[string]string{placeJar: "t=opaque"}, []piece{{lab.KindCookie, placeJar, "t=opaque"}}},
	} {
		if diff := cmp.Diff(row.want, sift(row.places), cmp.AllowUnexported(piece{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
