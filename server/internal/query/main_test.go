package query_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the tests ask: the spans are from the last ten minutes.
var now = querytest.Epoch.Add(10 * time.Minute)

func clock() time.Time { return now }

func engine(s *querytest.Store) *query.Engine {
	return query.New(s, query.Options{Now: clock, MaxSkew: time.Second})
}

func newEngine() *query.Engine { return engine(querytest.New(querytest.Spans())) }

// minutes is the range of some minutes of the data set.
func minutes(from, to int) store.Range {
	return store.Range{From: querytest.Epoch.Add(time.Duration(from) * time.Minute), To: querytest.Epoch.Add(time.Duration(to) * time.Minute)}
}

// ended returns the spans that ended in a range and are of what keep says.
func ended(within store.Range, keep func(core.Site) bool) []querytest.Span {
	var out []querytest.Span
	for _, s := range querytest.Spans() {
		if within.Contains(querytest.Epoch.Add(s.End).UnixNano()) && (keep == nil || keep(s.Site)) {
			out = append(out, s)
		}
	}
	return out
}

func only(site core.Site) func(core.Site) bool { return func(s core.Site) bool { return s == site } }
