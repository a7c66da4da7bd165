package guard_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"cloakroom/bff/guard"
	"cloakroom/shared/problem"

	"github.com/google/go-cmp/cmp"
)

func TestParams(t *testing.T) {
	for _, c := range []struct {
		name, query string
		want        map[string]string
		code        problem.Code
	}{
		{"nothing sent", "", map[string]string{}, ""},
		{"both sent", "code=a%2Fb&state=x+y", map[string]string{"code": "a/b", "state": "x y"}, ""},
		{"an empty value was sent", "code=", map[string]string{"code": ""}, ""},
		{"a name we do not know, twice", "utm=1&utm=2&code=a", map[string]string{"code": "a"}, ""},
		{"a name in capitals is another name", "CODE=b&code=a", map[string]string{"code": "a"}, ""},
		{"a known name twice", "code=a&code=a", nil, problem.ParameterDuplicated},
		{"a known name twice, once encoded", "code=a&%63ode=b", nil, problem.ParameterDuplicated},
		{"a semicolon", "code=a;state=b", nil, problem.ParameterInvalid},
		{"a malformed escape", "code=%zz", nil, problem.ParameterInvalid},
		{"a malformed escape elsewhere", "x=%", nil, problem.ParameterInvalid},
		{"a line break", "state=a%0d%0ab", nil, problem.ParameterInvalid},
		{"NUL", "state=%00", nil, problem.ParameterInvalid},
		{"not UTF-8", "state=%ff", nil, problem.ParameterInvalid},
		{"too long", "x=" + strings.Repeat("a", 8<<10), nil, problem.ParameterInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/bff/callback", nil)
			r.URL.RawQuery = c.query
			got, err := guard.Params(r, "code", "state")
			if c.code != "" {
				if err == nil || problem.CodeOf(err) != c.code {
					t.Fatalf("got %v, %v, want %s", got, err, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
