package spa

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// What a browser may do with a copy.
const (
	cacheForever    = "public, max-age=31536000, immutable"
	cacheRevalidate = "no-cache"
)

// resource is one thing held in memory, ready to be sent.
type resource struct {
	forms       forms
	contentType string
	etag        string // quoted, or weak
}

// newResource compresses content where that pays.
func newResource(content []byte, contentType string) (*resource, error) {
	r := &resource{forms: forms{identity: content}, contentType: contentType, etag: `"` + fingerprint(content) + `"`}
	if !compressible(contentType) {
		return r, nil
	}
	var err error
	r.forms, err = compressed(content)
	return r, err
}

// fingerprint is 64 bits of a SHA-256: it names one of our own builds, nothing
// an attacker could choose.
func fingerprint(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// send writes the form the caller accepts. The codings of one resource differ
// in their bytes and so in their ETag (RFC 9110 §8.8.3.3).
func (s *resource) send(w http.ResponseWriter, r *http.Request, status int, cache string) {
	body, coding := s.forms.choose(strings.Join(r.Header.Values("Accept-Encoding"), ","))
	h := w.Header()
	h.Set("Content-Type", s.contentType)
	h.Set("Cache-Control", cache)
	if s.forms.brotli != nil || s.forms.gzip != nil {
		h.Add("Vary", "Accept-Encoding")
	}
	etag := s.etag
	if coding != "" {
		h.Set("Content-Encoding", coding)
		etag = strings.TrimSuffix(etag, `"`) + "-" + coding + `"`
	}
	if status == http.StatusOK {
		h.Set("ETag", etag)
		if matches(r.Header.Values("If-None-Match"), etag) {
			h.Del("Content-Type")
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// matches compares weakly, as RFC 9110 §13.1.2 asks.
func matches(ifNoneMatch []string, etag string) bool {
	for _, header := range ifNoneMatch {
		for candidate := range strings.SplitSeq(header, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}

// typeOf is the media type by the name's ending. The system's table is not
// asked: it differs from machine to machine, and with nosniff a wrong type
// stops a script.
func typeOf(name string) string {
	if kind, known := mediaTypes[strings.ToLower(path.Ext(name))]; known {
		return kind
	}
	return "application/octet-stream"
}

var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
	".wasm": "application/wasm", ".txt": "text/plain; charset=utf-8", ".xml": "application/xml",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
	".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg", ".pdf": "application/pdf",
}

func compressible(contentType string) bool {
	switch contentType {
	case "application/json", "application/manifest+json", "application/wasm", "application/xml", "image/svg+xml":
		return true
	}
	return strings.HasPrefix(contentType, "text/")
}
