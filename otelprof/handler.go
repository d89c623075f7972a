package otelprof

import (
	"bytes"
	"errors"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stichotrope/stichotrope-go/report"
)

// Handler serves the live profile of p:
//
//	mux.Handle("/debug/otelprof/", otelprof.Handler(p))
//
// The index is the HTML report with links to the other formats: table, tree, csv, json, folded, pprof, prometheus and
// whatever else [report.Formats] lists, and snapshot, the binary form that core.Decode reads. So
//
//	go tool pprof http://host/debug/otelprof/pprof?seconds=30
//
// works. The handler looks only at what follows the last slash of a path, and its links are relative: it may be mounted
// under any prefix that ends in a slash, with http.StripPrefix or without.
//
// # Parameters
//
//   - seconds=30 waits and reports what happened meanwhile, for up to an hour.
//   - track=NAME reports this track alone; a * stands for any characters, and the parameter may be repeated. Calls then
//     belong to the nearest enclosing call of these tracks.
//   - sort, top (table), sort, depth (tree), refresh in seconds (html).
//
// A bad parameter is answered by status 400 and says what is allowed.
//
// # Safety
//
// A profile tells names of code and of endpoints. Serve it on loopback or behind authentication, as net/http/pprof.
// Nothing can be changed over HTTP unless [WithControls] allows it. Reports are complete before the first byte is sent,
// so that a slow client holds up nobody. At most 16 requests at a time may wait for their seconds.
//
// The handler may be used by any number of goroutines. A nil profiler gives one that answers with status 503.
func Handler(p *Profiler, opts ...HandlerOption) http.Handler {
	h := &handler{profiler: p, windows: make(chan struct{}, maxWindows)}
	for _, o := range opts {
		if o != nil {
			o.applyTo(h)
		}
	}
	return h
}

// HandlerOption configures what [Handler] returns. A nil HandlerOption does nothing.
type HandlerOption interface {
	applyTo(h *handler)
}

type handlerOptionFunc func(h *handler)

func (f handlerOptionFunc) applyTo(h *handler) { f(h) }

type handler struct {
	profiler *Profiler
	controls bool
	// windows holds an element for each request that waits for its seconds.
	windows chan struct{}
}

// httpError is an answer that is not what was asked for.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

func badRequest(text string) error { return &httpError{http.StatusBadRequest, text} }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header())
	if err := h.serve(w, r); err != nil {
		serveError(w, err)
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	if h.profiler == nil {
		return &httpError{http.StatusServiceUnavailable, "there is no profiler"}
	}
	name := pageName(r)
	if name == "" && redirectToFolder(w, r) {
		return nil
	}
	if name == controlsPage || controls[name] != nil {
		return h.serveControl(w, r, name)
	}
	format, err := findFormat(name)
	if err != nil {
		return err
	}
	if err := allowMethods(w, r, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	return h.serveReport(w, r, format)
}

// serveReport answers a request for the profile in a format.
func (h *handler) serveReport(w http.ResponseWriter, r *http.Request, format report.Format) error {
	v, err := parseView(r.URL.RawQuery, format)
	if err != nil {
		return err
	}
	v.html.Links = h.links(v.tracks)
	header := w.Header()
	header.Set("Content-Type", format.ContentType)
	if strings.HasPrefix(format.ContentType, "text/html") {
		header.Set("Content-Security-Policy", report.HTMLContentSecurityPolicy())
	}
	if format.ContentType == binaryType {
		header.Set("Content-Disposition", `attachment; filename="otelprof`+format.Extension+`"`)
	}
	if r.Method == http.MethodHead {
		return nil // the headers do not depend on the profile, so there is nothing to wait for
	}
	s, err := h.snapshot(w, r, v.seconds)
	if err != nil {
		return err
	}
	if v.tracks != nil {
		s = onlyTracks(s, func(track string) bool { return matchesAny(v.tracks, track) })
	}
	var body bytes.Buffer
	if err := v.write(&body, s); err != nil {
		return err
	}
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	_, _ = w.Write(body.Bytes()) // it fails only if the client is gone
	return nil
}

// pageName returns what follows the last slash of the path, "" for the index. Nothing before it matters, so that the
// handler need not know where it is mounted.
func pageName(r *http.Request) string {
	return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
}

// redirectToFolder appends the slash to an index address that lacks it, without which relative links would lead
// elsewhere. Such a request gets here only through http.StripPrefix, which leaves nothing of its path.
func redirectToFolder(w http.ResponseWriter, r *http.Request) bool {
	asked, query, _ := strings.Cut(r.RequestURI, "?")
	if r.URL.Path != "" || asked == "" || strings.HasSuffix(asked, "/") {
		return false
	}
	// Not http.Redirect, which would resolve a relative address against the stripped path.
	target := "./" + path.Base(asked) + "/"
	if query != "" {
		target += "?" + query
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}

func allowMethods(w http.ResponseWriter, r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) {
		return nil
	}
	list := strings.Join(methods, ", ")
	w.Header().Set("Allow", list)
	return &httpError{http.StatusMethodNotAllowed, "method " + quote(r.Method) + " is not allowed here, only " + list}
}

// textPolicy is the Content-Security-Policy of everything that has no page of its own.
const textPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func setSecurityHeaders(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", textPolicy)
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Not no-referrer: under it browsers send "Origin: null" with the forms of the controls.
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
}

// serveError answers with an error. Nothing of a body has been written before.
func serveError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var known *httpError
	if errors.As(err, &known) {
		status = known.status
	}
	header := w.Header()
	header.Del("Content-Disposition")
	header.Set("Content-Security-Policy", textPolicy)
	header.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("otelprof: " + err.Error() + "\n"))
}
