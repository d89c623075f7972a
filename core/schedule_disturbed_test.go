package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// disturbance is what happens while a snapshot is taken: whenever it asks for the name of an open span, which is between
// listing the live traces of a shard and copying them, others open and end spans. What had ended before the call is
// in the snapshot then, what ends meanwhile is in it or in the next.
type disturbance struct {
	steps int       // how often others still get in during the present snapshot; 0 outside of snapshots
	taken *Snapshot // the sum of all that Take returned; the oracle is never reset
	large int       // how many traces of more records than are kept for reuse ended during a snapshot
}

// stepDisturbed takes the steps that a disturbed schedule does differently, and reports whether it did.
func (s *schedule) stepDisturbed() bool {
	switch s.choose(24) {
	case 0:
		s.burst()
	case 1, 2:
		s.snapshotDisturbed((*Aggregator).Snapshot)
	case 3:
		s.taken = s.snapshotDisturbed((*Aggregator).Take)
	case 4:
		s.record()
	case 5, 6, 7, 8, 9, 10, 11:
		if span := s.anyOpen(); span != nil {
			s.close(span)
		}
	case 12:
		s.closeAll()
	case 13:
		s.compare(s, s.agg.Snapshot())
	default:
		s.open()
	}
	return true
}

// burst opens and ends many children of an open span, all at once or one after another.
func (s *schedule) burst() {
	parent := s.anyOpen()
	if parent == nil {
		return
	}
	atOnce, spans := s.choose(2) == 0, len(s.spans)
	var children []*oracleSpan
	n := 1 + s.choose(12)
	if s.choose(3) == 0 {
		n = 3*maxScan + s.choose(2*maxScan)
	}
	for range n {
		child := s.openBelow(parent)
		if children = append(children, child); !atOnce {
			s.close(child)
		}
	}
	if atOnce {
		for _, i := range []int{1, 0} { // the odd ones first
			for ; i < len(children); i += 2 {
				s.close(children[i])
			}
		}
	}
	s.spans = s.spans[:spans] // so that what is open is still found
}

// outlive opens a child of an open span and ends the parent.
func (s *schedule) outlive() {
	if parent := s.anyOpen(); parent != nil {
		s.openBelow(parent)
		s.close(parent)
	}
}

func (s *schedule) openBelow(parent *oracleSpan) *oracleSpan {
	child := &oracleSpan{}
	o := Opening{Trace: parent.trace, Parent: parent.id, Span: s.newID(), Ref: child}
	s.agg.Open(&o)
	*child = *s.model.open(&o, s.site(), s.moment())
	child.life.spans[len(child.life.spans)-1] = child
	s.spans = append(s.spans, child)
	return child
}

// disturb is called between two moments of a snapshot.
func (s *schedule) disturb() {
	if s.steps == 0 || s.choose(3) == 0 {
		return
	}
	left := s.steps - 1
	s.steps = 0 // traces are settled below, and that asks for names too
	switch s.choose(9) {
	case 0, 1:
		s.open()
	case 8:
		s.outlive()
	case 2, 3:
		s.burst()
	case 4, 5:
		if span := s.anyOpen(); span != nil {
			s.closeTrace(span)
		}
	case 6:
		s.record()
	case 7:
		if span := s.anyOpen(); span != nil {
			s.close(span)
		}
	}
	s.steps = left
}

// closeTrace ends all open spans of a span's trace, so that it is filed.
func (s *schedule) closeTrace(span *oracleSpan) {
	if len(span.life.spans) > 4*maxScan {
		s.large++
	}
	for i := len(span.life.spans) - 1; i >= 0; i-- {
		if x := span.life.spans[i]; x.closed == 0 {
			s.close(x)
		}
	}
}

// snapshotDisturbed takes a snapshot while others get in, and wants it to lie between what was before and what is after.
// It returns the sum of all that was taken, with the new one.
func (s *schedule) snapshotDisturbed(take func(*Aggregator) *Snapshot) *Snapshot {
	before := s.model.profile()
	s.steps = 1 + s.choose(6)
	got := take(s.agg)
	s.steps = 0
	after := s.model.profile()

	checkInvariants(s.t, got)
	checkSums(s.t, got)
	whole := Merge(s.taken, got)
	blocks := flat(whole).blocks
	for site, b := range before.blocks {
		have := blocks[site]
		require.True(s.t, have.Stats.follows(&b.Stats), "%v lacks what was before: %+v, not %+v", site, have.Stats, b.Stats)
	}
	for site, have := range blocks {
		b := after.blocks[site]
		require.True(s.t, b.Stats.follows(&have.Stats), "%v has more than there is: %+v, not %+v", site, have.Stats, b.Stats)
	}
	for i := range whole.Blocks {
		whole.Blocks[i].Stats.Active = 0 // is not a sum
	}
	return whole
}

// compareWhole wants what was taken and what is left to add up to what the oracle says.
func (s *schedule) compareWhole(got *Snapshot) {
	checkInvariants(s.t, got)
	checkSums(s.t, got)
	want, have := s.model.profile(), flat(Merge(s.taken, got))
	requireSameEntries(s.t, want.used(), have.used())
	have.counters.OverflowNodes, have.counters.Settled = 0, 0
	require.Equal(s.t, want.counters, have.counters)
}

// Whatever happens while a snapshot is taken, every span is counted once, with all its statistics.
func TestScheduleWithDisturbedSnapshots(t *testing.T) {
	large := 0
	for _, pending := range []int{20, 4 * maxScan, DefaultLimits().MaxPending} {
		limits := limitsWith(func(l *Limits) { l.MaxPending = pending })
		runSchedules(t, 6, 120, scheduleKind{
			limits: limits, early: true, disturbed: true, compare: func(s *schedule, got *Snapshot) {
				s.compareWhole(got)
				large += s.large
				s.large = 0
			},
		})
	}
	require.Positive(t, large, "no large trace ended during a snapshot: the test tests nothing")
}
