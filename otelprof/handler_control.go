package otelprof

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// WithControls says whether the profile can be reset and switched on and off over HTTP. The default is false.
//
// If so, the page "controls" has buttons for it, and for scripts POST requests do the same:
//
//	curl -X POST http://host/debug/otelprof/reset                  numbers to zero
//	curl -X POST http://host/debug/otelprof/clear                  forget everything
//	curl -X POST http://host/debug/otelprof/disable                switch the profiler off; enable: on
//	curl -X POST http://host/debug/otelprof/disable?track=shop     switch one track off; enable: on
//
// Requests that a browser sends for a page of another origin are refused. There is no other protection: whoever can
// reach the handler can use the controls.
func WithControls(on bool) HandlerOption {
	return handlerOptionFunc(func(h *handler) { h.controls = on })
}

// controlsPage is the page with the buttons.
const controlsPage = "controls"

// controls are the actions by name. Each does what it is called and returns a sentence about it. The track is nil for
// the whole profiler.
var controls = map[string]func(p *Profiler, track *string) string{
	"reset":   func(p *Profiler, _ *string) string { p.Reset(); return "all numbers are zero" },
	"clear":   func(p *Profiler, _ *string) string { p.Clear(); return "everything is forgotten" },
	"enable":  func(p *Profiler, track *string) string { return p.switchTo(true, track) },
	"disable": func(p *Profiler, track *string) string { return p.switchTo(false, track) },
}

func (p *Profiler) switchTo(on bool, track *string) string {
	state := "off"
	if on {
		state = "on"
	}
	if track == nil {
		p.SetEnabled(on)
		return "the profiler is " + state
	}
	p.SetTrackEnabled(*track, on)
	return "track " + quote(*track) + " is " + state
}

// serveControl answers a request for the page of controls or for an action.
func (h *handler) serveControl(w http.ResponseWriter, r *http.Request, name string) error {
	if !h.controls {
		return &httpError{http.StatusForbidden, "controls are switched off, see otelprof.WithControls"}
	}
	if name == controlsPage {
		if err := allowMethods(w, r, http.MethodGet, http.MethodHead); err != nil {
			return err
		}
		return h.serveControlsPage(w)
	}
	if err := allowMethods(w, r, http.MethodPost); err != nil {
		return err
	}
	var protection http.CrossOriginProtection
	if err := protection.Check(r); err != nil {
		return &httpError{http.StatusForbidden, err.Error()}
	}
	track, err := h.controlledTrack(w, r, name)
	if err != nil {
		return err
	}
	done := controls[name](h.profiler, track)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Location", controlsPage)
	w.WriteHeader(http.StatusSeeOther)
	_, _ = w.Write([]byte("otelprof: " + done + "\n"))
	return nil
}

// controlledTrack returns the track that an action is for, nil for the whole profiler. It must be a known one: every
// switched track takes memory for good.
func (h *handler) controlledTrack(w http.ResponseWriter, r *http.Request, name string) (*string, error) {
	values, err := formValues(w, r)
	if err != nil {
		return nil, err
	}
	var parameters []parameter
	var track *string
	if name == "enable" || name == "disable" {
		known := trackStates(h.profiler.Snapshot())
		parameters = []parameter{{key: "track", allowed: "a track of the profile", set: func(value string) bool {
			track = &value
			return slices.ContainsFunc(known, func(t trackState) bool { return t.Name == value })
		}}}
	}
	if err := setParameters(parameters, values, "action "+name); err != nil {
		return nil, err
	}
	return track, nil
}

// formValues returns the parameters of a POST request, from its query and its form.
func formValues(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	const form = "application/x-www-form-urlencoded"
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.ContentLength != 0 && !strings.EqualFold(strings.TrimSpace(kind), form) {
		// Ignoring it could switch off the whole profiler instead of a track.
		return nil, &httpError{http.StatusUnsupportedMediaType, "the body is " + quote(kind) + ", want " + form + " or none"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, badRequest("cannot read the form: " + err.Error())
	}
	return r.Form, nil
}

// maxForm bounds the body of a POST request in bytes.
const maxForm = 64 << 10

// trackState is a row of the page of controls.
type trackState struct {
	Name    string
	Enabled bool
	Calls   uint64
}

// trackStates returns the tracks that have blocks, then those that are switched off and have none.
func trackStates(s *core.Snapshot) []trackState {
	var list []trackState
	seen := map[string]bool{}
	for _, t := range s.Tracks() {
		list = append(list, trackState{t.Name, t.Enabled, t.Stats.Count})
		seen[t.Name] = true
	}
	for _, name := range s.DisabledTracks {
		if !seen[name] {
			list = append(list, trackState{Name: name})
		}
	}
	return list
}

// Action is the address of the form that flips the switch. The name is in its query and not in a field, because browsers
// change line ends in fields.
func (t trackState) Action() string {
	action := "enable"
	if t.Enabled {
		action = "disable"
	}
	return action + "?" + url.Values{"track": {t.Name}}.Encode()
}

// Label is how the page shows the name: what cannot be seen is escaped.
func (t trackState) Label() string { return quote(t.Name) }

var controlsTemplate = template.Must(template.New(controlsPage).Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Controls · otelprof</title>
<h1>Controls</h1>
<p><a href="./">Back to the profile</a></p>
<h2>Profiler {{.Name}}: {{if .Enabled}}on{{else}}off{{end}}</h2>
<form method="post" action="{{if .Enabled}}disable{{else}}enable{{end}}"><button>Switch {{if .Enabled}}off{{else}}on{{end}}</button></form>
<form method="post" action="reset"><button>Reset all numbers to zero</button></form>
<form method="post" action="clear"><button>Clear: forget everything</button></form>
{{- if not .Global}}
<p>All profilers of the program are switched off by SetGlobalEnabled.</p>
{{- end}}
<h2>Tracks</h2>
<table>
<tr><th scope="col">Track<th scope="col">Calls<th scope="col">State<th scope="col">Switch
{{- range .Tracks}}
<tr><td>{{.Label}}<td>{{.Calls}}<td>{{if .Enabled}}on{{else}}off{{end}}
<td><form method="post" action="{{.Action}}"><button>Switch {{if .Enabled}}off{{else}}on{{end}}</button></form>
{{- end}}
</table>
</html>
`))

func (h *handler) serveControlsPage(w http.ResponseWriter) error {
	p := h.profiler
	var body bytes.Buffer
	err := controlsTemplate.Execute(&body, struct {
		Name            string
		Enabled, Global bool
		Tracks          []trackState
	}{quote(p.Name()), p.Enabled(), GlobalEnabled(), trackStates(p.Snapshot())})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	_, _ = w.Write(body.Bytes())
	return nil
}
