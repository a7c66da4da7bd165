package ui

import (
	"fmt"
	"strconv"
	"time"

	"cloakroom/shared"
)

// Left says how long d is, for a countdown.
func Left(d time.Duration) string {
	d = d.Round(time.Second)
	if d <= 0 {
		return "0 s"
	}
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%d h %02d min", h, m)
	case m > 0:
		return fmt.Sprintf("%d min %02d s", m, s)
	default:
		return strconv.Itoa(s) + " s"
	}
}

// Moment is a point in time in the reader's own time zone.
func Moment(unix int64) string {
	if unix == 0 {
		return "not said"
	}
	return time.Unix(unix, 0).Local().Format("2 January 2006, 15:04:05")
}

// Day is Moment to the minute, for lists.
func Day(unix int64) string {
	if unix == 0 {
		return "not said"
	}
	return time.Unix(unix, 0).Local().Format("2 Jan 2006, 15:04")
}

// Size is a number of bytes for a person.
func Size(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
	default:
		return Count(n, "byte")
	}
}

// Count is n of thing, in the plural where it belongs.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Number(n) + " " + thing + "s"
}

// Number groups the digits of n by thousands.
func Number(n int) string {
	if n < 0 {
		return "-" + Number(-n)
	}
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// kindName is a token's kind for a person.
func kindName(kind string) string {
	switch kind {
	case shared.TokenAccess:
		return "Access token"
	case shared.TokenRefresh:
		return "Refresh token"
	case shared.TokenID:
		return "ID token"
	}
	return kind
}
