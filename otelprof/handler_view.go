package otelprof

import (
	"cmp"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// view is what the query of an address asks for.
type view struct {
	// seconds is how long to wait for the difference, 0 for the whole profile.
	seconds time.Duration
	// tracks are patterns of the tracks to report, nil for all.
	tracks []string

	table report.TableOptions
	tree  report.TreeOptions
	html  report.HTMLOptions

	write func(io.Writer, *core.Snapshot) error
}

// parameter is a key of a query.
type parameter struct {
	key string
	// allowed completes the sentence "want …" of an error.
	allowed string
	// repeated: the key may be given more than once.
	repeated bool
	// set takes a value. It returns false if the value is not allowed.
	set func(value string) bool
}

// parseView reads a query for a format. The error is one for the client.
func parseView(query string, format report.Format) (*view, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, badRequest("cannot read the query: " + err.Error())
	}
	v := &view{write: format.Write}
	parameters := append(v.commonParameters(), v.customize(format.Name)...)
	if err := setParameters(parameters, values, "page "+format.Name); err != nil {
		return nil, err
	}
	return v, nil
}

// setParameters hands the values to the parameters. Keys that are none are errors, because a misspelled one would
// otherwise give an answer to another question.
func setParameters(parameters []parameter, values url.Values, where string) error {
	keys := make([]string, len(parameters))
	for i, p := range parameters {
		keys[i] = p.key
		given := values[p.key]
		if len(given) > 1 && !p.repeated {
			return badRequest("parameter " + p.key + " is given " + strconv.Itoa(len(given)) + " times, want it once")
		}
		for _, value := range given {
			if !p.set(value) {
				return badRequest("parameter " + p.key + " is " + quote(value) + ", want " + p.allowed)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(keys, key) {
			known := cmp.Or(strings.Join(keys, ", "), "none")
			return badRequest("unknown parameter " + quote(key) + ", " + where + " has " + known)
		}
	}
	return nil
}

// commonParameters are those of every format.
func (v *view) commonParameters() []parameter {
	return []parameter{
		{key: "seconds", allowed: wholeNumber(1, int(maxWindow/time.Second)), set: func(value string) bool {
			n, ok := parseWhole(value, 1, int(maxWindow/time.Second))
			v.seconds = time.Duration(n) * time.Second
			return ok
		}},
		{key: "track", allowed: "a track name, in which * stands for any characters", repeated: true, set: func(value string) bool {
			v.tracks = append(v.tracks, value)
			return true
		}},
	}
}

// customize returns the parameters of a format that has options, and makes the view write it with them.
func (v *view) customize(format string) []parameter {
	switch format {
	case "table":
		v.write = func(w io.Writer, s *core.Snapshot) error { return report.Table(w, s, v.table) }
		return []parameter{sortParameter(&v.table.Sort), wholeParameter("top", 1, maxRows, &v.table.Top)}
	case "tree":
		v.write = func(w io.Writer, s *core.Snapshot) error { return report.Tree(w, s, v.tree) }
		return []parameter{sortParameter(&v.tree.Sort), wholeParameter("depth", 1, maxRows, &v.tree.MaxDepth)}
	case "html":
		v.write = func(w io.Writer, s *core.Snapshot) error { return report.HTML(w, s, v.html) }
		return []parameter{{key: "refresh", allowed: wholeNumber(1, maxRefresh), set: func(value string) bool {
			n, ok := parseWhole(value, 1, maxRefresh)
			v.html.Refresh = time.Duration(n) * time.Second
			return ok
		}}}
	}
	return nil
}

const (
	// maxRows bounds numbers of rows and levels: more than there can be.
	maxRows = 1 << 24
	// maxRefresh bounds the time between two loads of a page, in seconds.
	maxRefresh = 3600
)

func sortParameter(key *report.SortKey) parameter {
	keys := report.SortKeys()
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = string(keys[i])
	}
	return parameter{key: "sort", allowed: "one of " + strings.Join(names, ", "), set: func(value string) bool {
		*key = report.SortKey(value)
		return slices.Contains(keys, *key)
	}}
}

func wholeParameter(key string, least, most int, n *int) parameter {
	return parameter{key: key, allowed: wholeNumber(least, most), set: func(value string) (ok bool) {
		*n, ok = parseWhole(value, least, most)
		return ok
	}}
}

func wholeNumber(least, most int) string {
	return "a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)
}

func parseWhole(text string, least, most int) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= least && n <= most
}
