package property

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"cloakroom/shared/lab"
)

func TestTheBiggestThatFitsIsFoundInFewAttempts(t *testing.T) {
	for limit := range doubled + 1 {
		tried := 0
		got, err := biggest(doubled, func(i int) (bool, error) {
			tried++
			return i < limit, nil
		})
		if err != nil || got != limit || tried > 4 {
			t.Errorf("%d fit: found %d by %d attempts: %v", limit, got, tried, err)
		}
	}
	broken := errors.New("broken")
	if _, err := biggest(doubled, func(int) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("an attempt that fails: %v", err)
	}
	if sized(0) != 1<<10 || sized(doubled-1) != 1<<20 || inBytes(sized(0)) != "1 KiB" || inBytes(sized(9)) != "512 KiB" || inBytes(sized(10)) != "1 MiB" {
		t.Error("the sizes are not 1 KiB to 1 MiB")
	}
}

func TestWhatACopyWasGoodForAfterTheSignOut(t *testing.T) {
	const expires, lasts = 600 * time.Second, 8 * time.Hour
	for _, c := range []struct {
		found  afterwards
		word   string
		number float64
	}{
		{afterwards{useful: true}, "at once", 0},
		{afterwards{}, "a copy is of no use", 0},
		{afterwards{useful: true, here: true}, "until the access token expires", 600},
		{afterwards{useful: true, here: true, elsewhere: true}, "until the access token expires", 600},
		{afterwards{useful: true, elsewhere: true}, "at once where it ended, elsewhere until the access token expires", 600},
		{afterwards{useful: true, elsewhere: true, renewed: true}, "at once where it ended, elsewhere until the refresh token expires", 28800},
		{afterwards{useful: true, renewed: true}, "until the refresh token expires", 28800},
		{afterwards{renewed: true}, "until the refresh token expires", 28800},
	} {
		c.found.expires, c.found.lasts = expires, lasts
		var m lab.Measure
		if c.found.judge(&m); m.Finding != c.word || m.Number == nil || *m.Number != c.number {
			t.Errorf("%+v: %+v", c.found, m)
		}
	}
}

func TestAJWTSaysWhenItExpires(t *testing.T) {
	token := func(claims string) string { return "x." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x" }
	if got := expiry(token(fmt.Sprintf(`{"exp":%d}`, time.Now().Add(time.Hour).Unix()))); got < time.Hour-2*time.Second || got > time.Hour {
		t.Errorf("in an hour: %v", got)
	}
	for _, none := range []string{"", "opaque", "a.b", "a.!.c", token(`{}`), token(`[`), token(`{"exp":"soon"}`)} {
		if got := expiry(none); got != 0 {
			t.Errorf("%q: %v", none, got)
		}
	}
}

func TestTheMedianIsInTheMiddle(t *testing.T) {
	for want, all := range map[time.Duration][]time.Duration{
		0: nil, 7: {7}, 3: {9, 1, 3}, 4: {5, 100, 1, 3},
	} {
		if got := median(all); got != want {
			t.Errorf("of %v: %v", all, got)
		}
	}
}

func TestMemoryIsBySession(t *testing.T) {
	for grown, want := range map[int64]string{
		-5000: "none that can be seen", 0: "none that can be seen", visitors - 1: "none that can be seen",
		visitors: "1 B", 4500 * visitors: "4500 B",
	} {
		var m lab.Measure
		if perSession(&m, grown); m.Finding != want {
			t.Errorf("%d bytes: %q", grown, m.Finding)
		}
	}
}
