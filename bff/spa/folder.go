package spa

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"

	"cloakroom/shared/problem"
)

const index = "index.html"

// folder serves an SPA of any framework from a directory. Nothing outside of
// it can be reached, through symbolic links neither: os.Root sees to that.
type folder struct{ root *os.Root }

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	info, err := root.Stat(index)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open folder: %s: %w", index, err), root.Close())
	}
	return &folder{root: root}, nil
}

// serve sends the file a path names. A navigation to what is no file gets the
// index: the SPA's own router knows the rest.
func (f *folder) serve(w http.ResponseWriter, r *http.Request) error {
	name, ok := fileName(r.URL.Path)
	if !ok {
		return problem.New(problem.NotFound, nil)
	}
	err := f.send(w, r, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !isNavigation(r) || path.Ext(name) != "" && path.Ext(name) != ".html" {
		return problem.New(problem.NotFound, err)
	}
	if err := f.send(w, r, index); err != nil {
		return problem.New(problem.Internal, err)
	}
	return nil
}

// fileName turns a request path into a name below the root. Names that begin
// with a dot are nobody's business, .well-known apart (RFC 8615).
func fileName(requestPath string) (string, bool) {
	name := strings.TrimPrefix(requestPath, "/")
	if name == "" {
		return index, true
	}
	if name[0] == '/' || strings.ContainsAny(name, "\\\x00") || path.Clean(name) != strings.TrimSuffix(name, "/") {
		return "", false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			return "", false
		}
	}
	return strings.TrimSuffix(name, "/"), true
}

// send writes a regular file. What is none, or leads out of the folder, does
// not exist as far as a caller can tell.
func (f *folder) send(w http.ResponseWriter, r *http.Request, name string) error {
	file, err := f.root.Open(name)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, hidden(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("stat %s: %w", name, hidden(err))
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file: %w", name, fs.ErrNotExist)
	}
	h := w.Header()
	h.Set("Content-Type", typeOf(name))
	h.Set("Cache-Control", cacheRevalidate)
	if isImmutable(name) {
		h.Set("Cache-Control", cacheForever)
	}
	tag := fmt.Sprintf(`%x-%x`, info.ModTime().UnixNano(), info.Size())

	var content io.ReadSeeker = file
	if packed, coding := f.packed(r, name, info); packed != nil {
		defer packed.Close()
		content, tag = packed, tag+"-"+coding
		h.Set("Content-Encoding", coding)
	}
	if compressible(typeOf(name)) {
		h.Add("Vary", "Accept-Encoding")
	}
	h.Set("ETag", `W/"`+tag+`"`) // by time and size only (RFC 9110 §8.8.1)
	http.ServeContent(w, r, "", info.ModTime(), content)
	return nil
}

// packed opens the best precompressed form that lies next to a file and is no
// older than it.
func (f *folder) packed(r *http.Request, name string, plain fs.FileInfo) (*os.File, string) {
	if !compressible(typeOf(name)) || r.Header.Get("Range") != "" {
		return nil, ""
	}
	accepted := parseAcceptEncoding(strings.Join(r.Header.Values("Accept-Encoding"), ","))
	for _, form := range []struct{ coding, ending string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if accepted.quality(form.coding) == 0 {
			continue
		}
		file, err := f.root.Open(name + form.ending)
		if err != nil {
			continue
		}
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && !info.ModTime().Before(plain.ModTime()) {
			return file, form.coding
		}
		_ = file.Close()
	}
	return nil, ""
}

// hidden makes every refusal of the file system look like absence, except what
// is the server's own trouble.
func hidden(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, fs.ErrClosed) {
		return err
	}
	return fmt.Errorf("%w (%w)", fs.ErrNotExist, err)
}

// isImmutable recognises a content hash in a file's name, carefully: a file
// wrongly taken for immutable stays old in browsers for a year, one missed is
// only asked for again. Hex of 8 digits and more counts anywhere; the mixed
// 8 letters of today's bundlers only in the folders they write to.
func isImmutable(name string) bool {
	stem := path.Base(name)
	for _, ending := range []string{".map", path.Ext(strings.TrimSuffix(stem, ".map"))} {
		stem = strings.TrimSuffix(stem, ending)
	}
	at := strings.LastIndexAny(stem, ".-")
	if bundle := bundled.FindStringSubmatch(name); bundle != nil {
		return mixed(bundle[1])
	}
	return at >= 0 && hexHash.MatchString(stem[at+1:]) && mixed(stem[at+1:])
}

var (
	hexHash = regexp.MustCompile(`^[0-9a-f]{8,64}$`)
	bundled = regexp.MustCompile(`(?:^|/)(?:assets|chunks|immutable)/(?:[^/]+/)*[^/]+[.-]([A-Za-z0-9_-]{8})\.[a-z0-9]+(?:\.map)?$`)
)

// mixed tells a hash from a word and from a date. A hash that happens to look
// like words is missed, which costs a question.
func mixed(s string) bool {
	digit := strings.ContainsAny(s, "0123456789")
	lower := strings.ToUpper(s) != s
	upper := strings.ToLower(s) != s
	return digit && (lower || upper) || lower && upper && !isCapitalised(s)
}

// isCapitalised is true of words as people write them: Overview, DataList.
func isCapitalised(s string) bool {
	return capitalised.MatchString(s)
}

var capitalised = regexp.MustCompile(`^[a-z]*(?:[A-Z][a-z]{2,})*$`)
