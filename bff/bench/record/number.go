package record

import "strconv"

// Count rounds to three digits and groups them.
func Count(f float64) string {
	if f < 0 {
		return "-" + Count(-f)
	}
	digits := strconv.FormatFloat(f, 'f', 0, 64)
	if keep := len(digits) - 3; keep > 0 {
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'e', 2, 64), 64)
		digits = strconv.FormatFloat(f, 'f', 0, 64)
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Short has two digits, or what Count gives.
func Short(f float64) string {
	switch {
	case f < 0:
		return "-" + Short(-f)
	case f == 0:
		return "0"
	case f < 0.1:
		return strconv.FormatFloat(f, 'f', 3, 64)
	case f < 1:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return Count(f)
}
