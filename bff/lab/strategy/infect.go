package strategy

import (
	"bytes"
	"net/http"
	"strings"
)

// PathLibrary is where an infected application has a library of its own.
const PathLibrary = "/library.js"

// Infection is what an attacker changed in what an application delivers.
type Infection struct {
	Markup  string // stands first in the head of every page
	Library string // the script at PathLibrary
}

// Infect has an application deliver i with its pages, under the headers its
// server sends, until cure is called. At any time one application is infected.
func (w *World) Infect(id string, i Infection) (cure func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.infected, w.infection = w.host(id), i
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.infected, w.infection = "", Infection{}
	}
}

// delivering is next, infected.
func (i Infection) delivering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if i.Library != "" && r.URL.Path == PathLibrary {
			rw.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			rw.Header().Set("Cache-Control", "no-store")
			_, _ = rw.Write([]byte(i.Library))
			return
		}
		for _, name := range []string{"Accept-Encoding", "If-None-Match", "If-Modified-Since", "Range"} {
			r.Header.Del(name) // the page is needed whole, and as text
		}
		page := &infecting{ResponseWriter: rw, markup: i.Markup}
		next.ServeHTTP(page, r)
		page.end()
	})
}

// infecting holds a page back until it is whole; everything else passes.
type infecting struct {
	http.ResponseWriter
	markup string
	begun  bool
	page   *bytes.Buffer // nil: not a page
}

func (i *infecting) WriteHeader(code int) {
	if !i.begun {
		i.begun = true
		if h := i.Header(); strings.HasPrefix(h.Get("Content-Type"), "text/html") {
			i.page = new(bytes.Buffer)
			h.Del("Content-Length")
			h.Del("ETag")
		}
	}
	i.ResponseWriter.WriteHeader(code)
}

func (i *infecting) Write(b []byte) (int, error) {
	if !i.begun {
		i.WriteHeader(http.StatusOK)
	}
	if i.page != nil {
		return i.page.Write(b)
	}
	return i.ResponseWriter.Write(b)
}

func (i *infecting) Unwrap() http.ResponseWriter { return i.ResponseWriter }

func (i *infecting) end() {
	if i.page != nil {
		_, _ = i.ResponseWriter.Write(bytes.Replace(i.page.Bytes(), []byte("<head>"), []byte("<head>"+i.markup), 1))
	}
}
