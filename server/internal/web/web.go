// Package web serves the page that server/web is the source of. The bundle in dist is committed, so that building the server
// needs no Node: "make web" makes it anew.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed dist
var bundle embed.FS

// policy lets the page load nothing but itself.
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// views are the first parts of the addresses that the page understands: all of them are the same document.
var views = map[string]bool{
	"": true, "blocks": true, "block": true, "flame": true, "traces": true, "trace": true, "compare": true, "map": true, "snapshots": true,
}

// asset is a file of the bundle.
type asset struct {
	body []byte
	tag  string
}

// Handler serves the page and its assets, and 404 for everything else. Its methods may be called concurrently.
type Handler struct{ assets map[string]asset }

// New returns a handler.
func New() *Handler {
	h := &Handler{assets: map[string]asset{}}
	files, err := fs.Sub(bundle, "dist")
	if err == nil {
		err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := fs.ReadFile(files, name)
			sum := sha256.Sum256(body)
			h.assets[name] = asset{body, `"` + hex.EncodeToString(sum[:8]) + `"`}
			return err
		})
	}
	if err != nil {
		panic(err) // an embedded file cannot fail
	}
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := "index.html"
	if file, ok := strings.CutPrefix(r.URL.Path, "/assets/"); ok {
		name = file
	} else if first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); !views[first] {
		name = ""
	}
	a, ok := h.assets[name]
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	switch {
	case !ok:
		http.Error(w, "There is no such page.", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD are possible here.", http.StatusMethodNotAllowed)
		return
	}
	header.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	header.Set("ETag", a.tag)
	header.Set("Cache-Control", "no-cache") // asked for every time, sent when it changed
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
