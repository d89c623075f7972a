package jaeger

import (
	"context"
	"encoding/json"
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

// How many traces a search returns if it does not say, and at most.
const (
	defaultTraces = 100
	maxTraces     = 10_000
)

// request is a request whose parameters are read one by one; the first error is kept.
type request struct {
	*http.Request
	values url.Values
	now    time.Time
	err    error
}

func (r *request) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *request) malformed(name, text, hint string) {
	r.keep(query.Invalidf(hint, "unable to parse param '%s': %s, %s", name, strconv.Quote(text), hint))
}

// text returns the value of the first of the names that has one.
func (r *request) text(names ...string) string {
	for _, name := range names {
		if v := r.values.Get(name); v != "" {
			return v
		}
	}
	return ""
}

func (r *request) pretty() bool {
	text := r.text("prettyPrint")
	return text != "" && text != "false"
}

func (r *request) flag(names ...string) bool {
	text := r.text(names...)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		r.malformed(names[0], text, "expecting true or false")
	}
	return b
}

// since1970 returns a moment given as a number of units since 1970.
func (r *request) since1970(name string, unit time.Duration, fallback time.Time) time.Time {
	text := r.text(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > int64(1<<63-1)/int64(unit) {
		r.malformed(name, text, "expecting an integer since 1970")
		return fallback
	}
	return time.Unix(0, n*int64(unit)).UTC()
}

// moment returns a time in RFC 3339, the zero time if it is not there.
func (r *request) moment(names ...string) time.Time {
	text := r.text(names...)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1970 || t.Year() > 2261 {
		r.malformed(names[0], text, "expecting a time as in RFC 3339")
	}
	return t
}

// duration returns a duration in Go's notation.
func (r *request) duration(names ...string) time.Duration {
	text := r.text(names...)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.malformed(names[0], text, "expecting a duration such as 1.5ms")
	}
	return d
}

// millis returns a duration above 0 given in milliseconds.
func (r *request) millis(name string, fallback time.Duration) time.Duration {
	text := r.text(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > int64(time.Duration(1<<63-1)/time.Millisecond) {
		r.malformed(name, text, "expecting a positive number of milliseconds")
		return fallback
	}
	return time.Duration(n) * time.Millisecond
}

func (r *request) limit(names ...string) int {
	text := r.text(names...)
	if text == "" {
		return defaultTraces
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.malformed(names[0], text, "expecting an integer")
		return defaultTraces
	}
	n, err = limit(n)
	r.keep(err)
	return n
}

// limit checks a number of traces; 0 is the default.
func limit(n int) (int, error) {
	if n < 0 || n > maxTraces {
		return 0, query.Invalidf("ask for fewer", "%d traces are not possible, the limit is %d", n, maxTraces)
	}
	if n == 0 {
		n = defaultTraces
	}
	return n, nil
}

// traceID reads a trace id as Jaeger takes it: 1 to 32 hexadecimal digits.
func traceID(text string) (core.TraceID, error) {
	var id core.TraceID
	if n := len(text); n == 0 || n > 32 || id.UnmarshalText([]byte(strings.Repeat("0", 32-n)+text)) != nil {
		return id, query.Invalidf("give up to 32 hexadecimal digits", "%s is not a trace id", strconv.Quote(text))
	}
	if id == (core.TraceID{}) {
		return id, query.Invalidf("give an id that is not zero", "the trace id is zero")
	}
	return id, nil
}

// kinds are the kinds of spans by what Jaeger calls them.
var kinds = map[string]core.Kind{
	"unspecified": core.KindUnspecified, "internal": core.KindInternal, "server": core.KindServer,
	"client": core.KindClient, "producer": core.KindProducer, "consumer": core.KindConsumer,
}

// kindName returns what Jaeger calls a kind, "" if it is unspecified.
func kindName(k core.Kind) string {
	if k == core.KindUnspecified {
		return ""
	}
	return k.String()
}

// tags reads a JSON object of texts.
func tags(text string) (map[string]string, error) {
	var all map[string]string
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, query.Invalidf(`expecting {"key":"value"}`, "malformed 'tags' parameter, cannot unmarshal JSON: %v", err)
	}
	return all, nil
}

// constrain adds tags to a query. Some are not attributes of spans, but what Jaeger makes of other fields. It reports
// whether any span can match.
func constrain(q *store.Query, all map[string]string) bool {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		value := all[key]
		switch key {
		case "span.kind":
			k, ok := kinds[strings.ToLower(value)]
			if !ok || k == core.KindUnspecified || q.Kind != core.KindUnspecified && q.Kind != k {
				return false
			}
			q.Kind = k
		case "otel.status_code":
			if strings.EqualFold(value, "ERROR") {
				q.Attributes = append(q.Attributes, store.Attribute{Key: "error", Value: "true"})
				continue
			}
			fallthrough
		default:
			q.Attributes = append(q.Attributes, store.Attribute{Key: key, Value: value})
		}
	}
	return true
}

// search runs a query unless nothing can match it.
func (h *Handler) search(ctx context.Context, q *store.Query, possible bool) ([]core.TraceID, error) {
	if !possible {
		return nil, nil
	}
	return h.Engine.Search(ctx, q)
}
