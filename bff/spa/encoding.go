package spa

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
)

// forms are the ways a file can be sent, the best first. An absent one is nil.
type forms struct{ brotli, gzip, identity []byte }

// small files are compressed at start; what does not shrink is sent as it is.
func compressed(content []byte) (forms, error) {
	f := forms{identity: content}
	var br bytes.Buffer
	bw := brotli.NewWriterLevel(&br, 6)
	if _, err := bw.Write(content); err != nil {
		return forms{}, fmt.Errorf("compress: %w", err)
	}
	if err := bw.Close(); err != nil {
		return forms{}, fmt.Errorf("compress: %w", err)
	}
	var gz bytes.Buffer
	gw := gzip.NewWriter(&gz)
	if _, err := gw.Write(content); err != nil {
		return forms{}, fmt.Errorf("compress: %w", err)
	}
	if err := gw.Close(); err != nil {
		return forms{}, fmt.Errorf("compress: %w", err)
	}
	if br.Len() < len(content) {
		f.brotli = br.Bytes()
	}
	if gz.Len() < len(content) {
		f.gzip = gz.Bytes()
	}
	return f, nil
}

// choose picks the form the Accept-Encoding header likes best, ours first where
// it does not care, and the name of its coding, "" for identity. Identity is
// the way out even where the header forbids it: a body is better than 406 (RFC
// 9110 §12.5.3 allows that).
func (f forms) choose(acceptEncoding string) (body []byte, coding string) {
	accepted := parseAcceptEncoding(acceptEncoding)
	best, body, coding := 0.0, f.identity, ""
	for _, form := range []struct {
		coding string
		body   []byte
	}{{"br", f.brotli}, {"gzip", f.gzip}} {
		if form.body == nil {
			continue
		}
		if q := accepted.quality(form.coding); q > best {
			best, body, coding = q, form.body, form.coding
		}
	}
	if q, said := accepted["identity"]; said && q > best {
		return f.identity, ""
	}
	return body, coding
}

// acceptable are codings with their q-values, "*" among them.
type acceptable map[string]float64

func (a acceptable) quality(coding string) float64 {
	if q, said := a[coding]; said {
		return q
	}
	return a["*"]
}

// parseAcceptEncoding reads RFC 9110 §12.5.3. What is malformed counts for nothing.
func parseAcceptEncoding(header string) acceptable {
	const mostCodings = 32
	accepted := acceptable{}
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" || len(accepted) == mostCodings {
			continue
		}
		if name == "x-gzip" {
			name = "gzip" // RFC 9110 §8.4.1.3
		}
		accepted[name] = quality(parameters)
	}
	return accepted
}

func quality(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, found := strings.Cut(strings.TrimSpace(parameter), "=")
		if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) { // NaN neither
			return 0
		}
		return q
	}
	return 1
}
