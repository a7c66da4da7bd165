package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// parseScalar sets v from text, by v's type. It returns what is wrong, "" when
// nothing is.
func parseScalar(text string, v reflect.Value, f field) string {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "holds a control character"
	}
	if message := checkOneof(text, f); message != "" {
		return message
	}
	switch v.Interface().(type) {
	case time.Duration:
		return parseDuration(text, v, f)
	case int64:
		return parseSize(text, v)
	case bool:
		if text != "true" && text != "false" {
			return "must be true or false"
		}
		v.SetBool(text == "true")
	case *url.URL:
		return parseURL(text, v)
	case netip.Prefix:
		return parsePrefix(text, v)
	case slog.Level:
		var level slog.Level
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return "must be a log level"
		}
		v.Set(reflect.ValueOf(level))
	default: // string and the types made of it
		v.SetString(text)
	}
	return ""
}

func checkOneof(text string, f field) string {
	if len(f.oneof) == 0 || slices.Contains(f.oneof, text) {
		return ""
	}
	return "must be one of: " + strings.Join(f.oneof, ", ")
}

// parseDuration takes no time at all only where that is the default.
func parseDuration(text string, v reflect.Value, f field) string {
	duration, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return "must be a duration with its unit, as 30s, 15m or 12h"
	case duration < 0, duration == 0 && f.fallback != text:
		return "must be longer than zero"
	}
	v.SetInt(int64(duration))
	return ""
}

// units of a size; plain bytes have none.
var units = []struct {
	suffix string
	shift  uint
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"", 0}}

func parseSize(text string, v reflect.Value) string {
	const message = "must be a number of bytes, plain or with KiB, MiB or GiB"
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 62)
		switch {
		case err != nil:
			return message
		case n > 1<<62>>unit.shift:
			return "is too large"
		}
		v.SetInt(int64(n << unit.shift))
		return ""
	}
	return message
}

// parseURL leaves nil for "". What kind of URL a key takes is its own rule.
func parseURL(text string, v reflect.Value) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil {
		return "must be an absolute URL" // err would repeat it
	}
	v.Set(reflect.ValueOf(u))
	return ""
}

func parsePrefix(text string, v reflect.Value) string {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return "must be a CIDR, as 10.0.0.0/8; a single address takes /32 or /128"
	case prefix.Addr().Is4In6():
		return "must be written as an IPv4 CIDR"
	case prefix != prefix.Masked():
		return "has address bits beyond its length"
	case prefix.Bits() == 0:
		return "would trust every peer"
	}
	v.Set(reflect.ValueOf(prefix))
	return ""
}
