package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// request is a request whose parameters are read one by one. A parameter that nobody reads is an error: a misspelt one
// would be ignored, and the answer be another than the one asked for.
type request struct {
	*http.Request
	w      http.ResponseWriter
	values url.Values
	now    time.Time
	known  map[string]bool
	err    error
}

func newRequest(w http.ResponseWriter, r *http.Request, now time.Time) (*request, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, query.Invalidf("escape the parameters", "the query of the address is malformed: %v", err)
	}
	return &request{Request: r, w: w, values: values, now: now, known: map[string]bool{}}, nil
}

// keep keeps the first error.
func (r *request) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// done returns the first error, or that there are parameters which nobody read.
func (r *request) done() error {
	if r.err != nil {
		return r.err
	}
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		if !r.known[name] {
			known := strings.Join(slices.Sorted(maps.Keys(r.known)), ", ")
			if known == "" {
				known = "none"
			}
			return query.Invalidf("parameters here: "+known, "the parameter %s is unknown", strconv.Quote(name))
		}
	}
	return nil
}

// texts returns all values of a parameter.
func (r *request) texts(name string) []string {
	r.known[name] = true
	return r.values[name]
}

// text returns the value of a parameter, "" if it is not there.
func (r *request) text(name string) string {
	all := r.texts(name)
	if len(all) > 1 {
		r.keep(query.Invalidf("give it once", "the parameter %s is given %d times", name, len(all)))
	}
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// number returns an integer from 0 to most.
func (r *request) number(name string, fallback, most int) int {
	text := r.text(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		r.keep(query.Invalidf("give an integer from 0 to "+strconv.Itoa(most), "%s: %s is not possible", name, strconv.Quote(text)))
	}
	return n
}

// fraction returns a number above 0 and up to most, 0 if it is not there.
func (r *request) fraction(name string, most float64) float64 {
	text := r.text(name)
	if text == "" {
		return 0
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v <= most) {
		r.keep(query.Invalidf("give a number above 0, up to "+strconv.FormatFloat(most, 'g', -1, 64), "%s: %s is not possible",
			name, strconv.Quote(text)))
	}
	return v
}

func (r *request) duration(name string) time.Duration {
	text := r.text(name)
	if text == "" {
		return 0
	}
	d, err := query.ParseDuration(text)
	if err != nil {
		r.keep(query.Invalidf("write 15m, 20ms or 7d", "%s: %v", name, err))
	}
	return d
}

// flag returns whether a parameter is true.
func (r *request) flag(name string) bool {
	switch text := r.text(name); text {
	case "", "false":
		return false
	case "true":
		return true
	default:
		r.keep(query.Invalidf("give true or false", "%s: %s is neither true nor false", name, strconv.Quote(text)))
		return false
	}
}

// period reads since and until, with a prefix.
func (r *request) period(prefix string) store.Range {
	p, err := query.ParsePeriod(r.text(prefix+"since"), r.text(prefix+"until"), r.now)
	if err != nil {
		r.keep(err)
	}
	return p
}

// step returns the number of minutes of a duration, 0 if it is not there.
func (r *request) step() int {
	d := r.duration("step")
	if d%time.Minute != 0 || d > 366*24*time.Hour {
		r.keep(query.Invalidf("give whole minutes, such as 5m", "step: %v is not possible", d))
	}
	return int(d / time.Minute)
}

func (r *request) kind(name string) core.Kind {
	var k core.Kind
	if text := r.text(name); text != "" {
		if err := k.UnmarshalText([]byte(text)); err != nil {
			r.keep(query.Invalidf("give server, client, producer, consumer or internal", "%s: %v", name, err))
		}
	}
	return k
}

func (r *request) traceID() core.TraceID {
	var id core.TraceID
	text := r.PathValue("id")
	if len(text) > 0 && len(text) < 32 { // older programs make ids of 64 bits
		text = strings.Repeat("0", 32-len(text)) + text
	}
	if err := id.UnmarshalText([]byte(text)); err != nil {
		r.keep(query.Invalidf("give up to 32 hexadecimal digits", "%s is not a trace id", strconv.Quote(r.PathValue("id"))))
	}
	return id
}
