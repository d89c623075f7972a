package clickhouse

import (
	"math"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

var minuteColumns = []string{"Minute", "Names", "DisabledTracks", "Start", "End", "Counters"}

// minuteRows are rows of otelprof_minutes: what a profile has beside blocks and nodes.
type minuteRows struct {
	minute          []int64
	names, disabled [][]string
	start, end      []int64
	counters        []map[string]uint64
}

func (r *minuteRows) columns() []any {
	return []any{r.minute, r.names, r.disabled, r.start, r.end, r.counters}
}

func makeMinuteRows(p *parcel) *minuteRows {
	r := &minuteRows{}
	for i := range p.segment.Profiles {
		minute, s := p.segment.Profiles[i].Minute, p.segment.Profiles[i].Snapshot
		start, end := int64(math.MaxInt64), int64(math.MinInt64)
		if !s.Start.IsZero() {
			start = s.Start.UnixNano()
		}
		if !s.End.IsZero() {
			end = s.End.UnixNano()
		}
		counters := map[string]uint64{}
		for name, n := range counterFields(&s.Counters) {
			counters[name] = *n
		}
		r.minute, r.start, r.end = append(r.minute, minute), append(r.start, start), append(r.end, end)
		r.names, r.disabled = append(r.names, append([]string{}, s.Names...)), append(r.disabled, append([]string{}, s.DisabledTracks...))
		r.counters = append(r.counters, counters)
	}
	return r
}

// counterFields returns the counters by the names under which they are stored.
func counterFields(c *core.Counters) map[string]*uint64 {
	return map[string]*uint64{
		"spans": &c.Spans, "overflow_sites": &c.OverflowSites, "overflow_nodes": &c.OverflowNodes, "evicted": &c.Evicted,
		"unstarted": &c.Unstarted, "detached": &c.Detached, "settled": &c.Settled, "duplicates": &c.Duplicates,
		"clamped": &c.Clamped, "truncated": &c.Truncated, "self_inexact": &c.SelfInexact, "panics": &c.Panics,
	}
}

// momentOf returns the time of ns since the Unix epoch; the zero time for a bound of nothing.
func momentOf(nanos int64) time.Time {
	if nanos == math.MaxInt64 || nanos == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
