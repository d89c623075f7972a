package pipeline

import (
	"cmp"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// tally counts spans by the minutes in which they ended. One goroutine at a time may use it.
type tally struct {
	makers *counters // makes and keeps the counters of minutes
	// minutes are in order. If there are more than limit, unless that is 0, they are emptied into full.
	minutes []*minuteCounter
	limit   int
	full    []store.Profile
	last    *minuteCounter

	// What follows is scratch memory: the spans to record, and for each span of the trace one more than its place there.
	out []core.TraceSpan
	at  []int32
	scattered
}

// minuteCounter counts the spans of one minute. It is used again for other minutes.
type minuteCounter struct {
	minute int64
	agg    *core.Aggregator
	// labels are by site.number; the site is there to see if the number is of another site by now.
	labels []struct {
		site  *site
		label *core.Label
	}
	made int // labels
}

func (m *minuteCounter) label(s *site) *core.Label {
	if s.number < len(m.labels) {
		if l := &m.labels[s.number]; l.site == s {
			return l.label
		}
	}
	label := m.agg.Label(s.Site)
	if !label.Overflow() || s.overflow {
		if n := s.number + 1 - len(m.labels); n > 0 {
			m.labels = append(m.labels, make([]struct {
				site  *site
				label *core.Label
			}, n)...)
		}
		m.labels[s.number].site, m.labels[s.number].label = s, label
	}
	m.made++
	return label
}

// counters makes counters of minutes, and keeps some that are not in use.
type counters struct {
	config core.Config
	free   []*minuteCounter
}

// maxFreeCounters is enough for a segment that is committed and one that is open.
const maxFreeCounters = 8

func (f *counters) take(minute int64) *minuteCounter {
	if n := len(f.free); n > 0 {
		m := f.free[n-1]
		f.free = f.free[:n-1]
		m.minute = minute
		return m
	}
	agg, err := core.New(f.config)
	if err != nil {
		panic(err) // Open has tried the configuration
	}
	return &minuteCounter{minute: minute, agg: agg}
}

// give takes back a counter that was emptied. What limits kept out must get room the next time.
func (f *counters) give(m *minuteCounter, s *core.Snapshot) {
	if len(f.free) >= maxFreeCounters {
		return
	}
	if m.made > f.config.Limits.MaxSites/2 || s.Counters.OverflowNodes > 0 {
		m.agg.Clear()
		m.labels, m.made = nil, 0
	}
	f.free = append(f.free, m)
}

// of returns the counter of a minute.
func (t *tally) of(minute int64) *minuteCounter {
	if t.last != nil && t.last.minute == minute {
		return t.last
	}
	i, ok := slices.BinarySearchFunc(t.minutes, minute, func(m *minuteCounter, minute int64) int {
		return cmp.Compare(m.minute, minute)
	})
	if !ok {
		if t.limit > 0 && len(t.minutes) >= t.limit {
			t.empty()
			i = 0
		}
		t.minutes = slices.Insert(t.minutes, i, t.makers.take(minute))
	}
	t.last = t.minutes[i]
	return t.last
}

// record counts the spans of a trace that was assembled: found are in the same order as the spans, order lists them.
func (t *tally) record(tr *trace, found []assembly.Span, order []int32) {
	if len(order) == 0 {
		return
	}
	first := tr.spans[order[0]].minute()
	for _, i := range order[1:] {
		if uint64(tr.spans[i].end()-first*minute) >= minute {
			t.recordMinutes(tr, found, order)
			return
		}
	}
	t.recordAll(t.of(first), tr, found, order)
}

// recordAll counts all spans in one minute.
func (t *tally) recordAll(m *minuteCounter, tr *trace, found []assembly.Span, order []int32) {
	t.reset(len(found), len(order))
	for _, i := range order {
		parent := int32(-1)
		if up := found[i].Up; up >= 0 {
			parent = t.at[up] - 1
		}
		t.put(m, &tr.spans[i], &found[i], i, parent)
	}
	m.agg.RecordTrace(tr.id, t.out)
}

func (t *tally) reset(spans, listed int) {
	t.out = slices.Grow(t.out[:0], listed)
	t.at = slices.Grow(t.at[:0], spans)[:spans]
}

// put appends a span to out.
func (t *tally) put(m *minuteCounter, s *span, f *assembly.Span, i, parent int32) *core.TraceSpan {
	t.out = append(t.out, core.TraceSpan{
		Label: m.label(s.site), Start: s.start, Duration: s.duration, Self: f.Self, Critical: f.Critical,
		Unsampled: s.unsampled, Parent: parent, Span: s.id, Failed: s.failed, Sampled: s.sampled,
	})
	t.at[i] = int32(len(t.out))
	return &t.out[len(t.out)-1]
}

// take returns the profiles, in the order of the minutes unless there is a limit, and empties the tally.
func (t *tally) take() []store.Profile {
	t.full = slices.Grow(t.full, len(t.minutes))
	t.empty()
	profiles := t.full
	t.full = nil
	return profiles
}

func (t *tally) empty() {
	for _, m := range t.minutes {
		s := m.agg.Take()
		t.full = append(t.full, profileOf(m.minute, s))
		t.makers.give(m, s)
	}
	t.minutes, t.last = t.minutes[:0], nil
}

// profileOf says which time a snapshot is of: that of the spans, not that of the counting.
func profileOf(minute int64, s *core.Snapshot) store.Profile {
	s.Start = time.Unix(minute*60, 0).UTC()
	s.End = s.Start.Add(time.Minute)
	return store.Profile{Minute: minute, Snapshot: s}
}
