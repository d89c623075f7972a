package core

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// schedule does the same things with an Aggregator and the oracle, as choose decides, and compares them.
type schedule struct {
	t      testing.TB
	agg    *Aggregator
	model  *oracle
	choose func(n int) int
	left   int // steps

	spans  []*oracleSpan // all that were opened
	before *Snapshot     // the snapshot before, nil after a reset
	last   *oracleSpan   // what was filed last, nil if a second end of it need not be noticed
	nextID uint64

	scheduleKind
	disturbance
}

// scheduleKind says which freedoms a schedule takes.
type scheduleKind struct {
	limits Limits
	// early: children start only while their parent is open, at moments in the order of the calls.
	early bool
	// plain: spans have neither places nor bytes, and all ends may be counted as unstarted: nothing is lost with the
	// record of a span.
	plain  bool
	noTree bool
	// absurd: moments and durations are at the ends of their range now and then, so that sums saturate.
	absurd bool
	// disturbed: other goroutines get in while a snapshot is taken, and some traces are large; see disturbance.
	disturbed bool
	// selfTimes: the aggregator keeps histograms of self times.
	selfTimes bool

	compare func(s *schedule, got *Snapshot)
}

var (
	scheduleTracks = []string{"http", "sql", "cache"}
	scheduleNames  = []string{"a", "b", "c", "d"}
	schedulePlaces = []*Location{nil, {"main.f", "main.go", 1}, {"main.f", "main.go", 2}, {"main.g", "g.go", 3}}
)

func newSchedule(t testing.TB, kind scheduleKind, choose func(n int) int) *schedule {
	s := &schedule{t: t, model: newOracle(), choose: choose, scheduleKind: kind}
	if s.compare == nil {
		s.compare = (*schedule).compareExactly
	}
	s.model.selfTimes = kind.selfTimes
	var err error
	s.agg, err = New(Config{Name: "oracle", Limits: kind.limits, NoTree: kind.noTree, SelfHistograms: kind.selfTimes, Describe: func(ref any) (*Label, int64) {
		span := ref.(*oracleSpan)
		s.disturb()
		if span.nameless {
			return nil, math.MinInt64
		}
		return s.agg.Label(span.name), span.begin
	}})
	require.NoError(t, err)
	return s
}

// run takes the steps, ends what is open and compares.
func (s *schedule) run(steps int) {
	for s.left = steps; s.left > 0; s.left-- {
		s.step()
	}
	s.compare(s, s.agg.Snapshot())
	s.closeAll()
	got := s.agg.Snapshot()
	s.compare(s, got)
	for _, b := range got.Blocks {
		require.True(s.t, b.Pending == 0 || s.noTree, b.Site)
		require.Zero(s.t, b.Stats.Active, b.Site)
	}
}

func (s *schedule) step() {
	if s.disturbed && s.stepDisturbed() {
		return
	}
	switch s.choose(24) {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		s.open()
	case 8, 9, 10, 11, 12, 13, 14:
		if span := s.anyOpen(); span != nil {
			s.close(span)
		}
	case 15:
		if span := s.anyOpen(); span != nil {
			span.name = s.site()
		}
	case 16:
		s.record()
	case 17:
		track, on := scheduleTracks[s.choose(len(scheduleTracks))], s.choose(3) > 0
		s.agg.SetTrackEnabled(track, on)
		s.model.off[track] = !on
	case 18:
		s.addBytes()
	case 19:
		s.closeAgain()
	case 20:
		s.closeUnstarted()
	case 21:
		s.compare(s, s.agg.Snapshot())
	case 22:
		s.reset()
	case 23:
		s.closeAll()
	}
}

func (s *schedule) reset() {
	switch s.choose(8) {
	case 0:
		s.compare(s, s.agg.Take())
	case 1:
		s.agg.Reset()
	case 2:
		s.agg.Clear()
	default:
		return
	}
	s.before = nil
	s.model.reset()
}

func (s *schedule) open() {
	o := Opening{}
	var parent *oracleSpan
	if len(s.spans) > 0 && s.choose(4) > 0 {
		// Near the end of the list: what is live is there.
		parent = s.spans[len(s.spans)-1-min(s.choose(len(s.spans)), s.choose(12))]
		if s.early && parent.closed > 0 || len(parent.life.spans) > 100 && !s.disturbed {
			parent = nil
		}
	}
	switch {
	case parent != nil:
		o.Trace, o.Parent = parent.trace, parent.id
	case s.choose(3) > 0:
		o.Trace = TraceID{15: byte(1 + s.choose(4))}
		if t := s.model.live[o.Trace]; t != nil && len(t.spans) > 100 {
			return
		}
	}
	if s.choose(4) > 0 {
		o.Span = s.newID()
	}
	if !s.plain {
		o.Place = schedulePlaces[s.choose(len(schedulePlaces))]
	}
	if s.plain {
		s.last = nil // what is given up to make room may drive it out of the memory of ended spans
	}
	span := &oracleSpan{}
	o.Ref = span
	s.agg.Open(&o)
	require.NotZero(s.t, o.Trace)
	require.NotZero(s.t, o.Span)
	*span = *s.model.open(&o, s.site(), s.moment())
	span.nameless = s.choose(6) == 0 && !s.disturbed
	span.life.spans[len(span.life.spans)-1] = span
	s.spans = append(s.spans, span)
}

// newID returns an id whose low byte is free in a trace: the memory of ids filed lately goes by it. Those that are
// made up have the upper half.
func (s *schedule) newID() (id SpanID) {
	s.nextID++
	binary.LittleEndian.PutUint64(id[:], s.nextID/128<<8|s.nextID%128|1<<62)
	return id
}

func (s *schedule) site() Site {
	site := Site{
		Track: scheduleTracks[s.choose(len(scheduleTracks))], Name: scheduleNames[s.choose(len(scheduleNames))],
		Kind: Kind(s.choose(2)),
	}
	if !s.plain && s.choose(8) == 0 {
		site.Function, site.File, site.Line = "attr.f", "attr.go", 7
	}
	return site
}

// moment is any of few, so that spans touch and cover one another, or what the order of calls says.
func (s *schedule) moment() int64 {
	if s.early {
		return int64(s.model.ticks) * 10
	}
	if s.absurd && s.choose(32) == 0 {
		return []int64{math.MinInt64, math.MaxInt64, maxMoment, -maxMoment, 0}[s.choose(5)]
	}
	return int64(s.choose(100))
}

func (s *schedule) closing(span *oracleSpan) Closing {
	c := Closing{
		Trace: span.trace, Span: span.id, Start: s.moment(), Duration: int64(s.choose(100)) - 3,
		Failed: s.choose(3) == 0, Sampled: s.choose(2) == 0, Discard: s.choose(16) == 0 && !s.disturbed,
		Unstarted: s.plain || s.choose(2) == 0,
	}
	if s.early {
		c.Start, c.Duration = span.begin, int64(s.model.ticks)*10+5-span.begin
	} else if s.absurd && s.choose(16) == 0 {
		c.Duration = []int64{math.MinInt64, math.MaxInt64, maxMoment, 1 << 40}[s.choose(4)]
	}
	if !s.plain {
		c.Bytes = uint64(s.choose(5))
	}
	if s.choose(4) > 0 {
		c.Exemplar = span.id
	}
	return c
}

func (s *schedule) anyOpen() *oracleSpan {
	for range 4 {
		if len(s.spans) == 0 {
			return nil
		}
		if span := s.spans[len(s.spans)-1-min(s.choose(len(s.spans)), s.choose(16))]; span.closed == 0 {
			return span
		}
	}
	return nil
}

func (s *schedule) close(span *oracleSpan) {
	final := span.name
	if s.choose(4) == 0 {
		final = s.site()
	}
	c := s.closing(span)
	c.Label = s.agg.Label(final)
	s.agg.Close(&c)
	s.model.close(span, &c, final)
	s.last = span
}

// closeAll ends all that is open, youngest first.
func (s *schedule) closeAll() {
	for i := len(s.spans) - 1; i >= 0; i-- {
		if s.spans[i].closed == 0 {
			s.close(s.spans[i])
		}
	}
	s.spans = s.spans[:0]
}

// closeAgain ends a span for the second time, while its trace is live or right after it was filed.
func (s *schedule) closeAgain() {
	if s.last == nil {
		return
	}
	c := s.closing(s.last)
	c.Label = s.agg.Label(s.site())
	s.agg.Close(&c)
	s.model.counters.Duplicates++
}

// closeUnstarted ends a span of which nothing is known.
func (s *schedule) closeUnstarted() {
	span := &oracleSpan{trace: TraceID{15: byte(1 + s.choose(4))}, id: s.newID()}
	final, c := s.site(), s.closing(span)
	c.Label = s.agg.Label(final)
	s.agg.Close(&c)
	s.last = nil
	if c.Unstarted && !c.Discard {
		s.model.counters.Unstarted++
		s.model.root(&c, final)
	}
}

func (s *schedule) record() {
	final, c := s.site(), s.closing(&oracleSpan{trace: TraceID{9}, id: SpanID{9}})
	c.Discard = false
	o := Observation{Start: c.Start, Duration: c.Duration, Bytes: c.Bytes, Failed: c.Failed, Sampled: c.Sampled}
	if c.Exemplar != (SpanID{}) {
		o.Trace, o.Span = c.Trace, c.Exemplar
	}
	s.agg.Record(s.agg.Label(final), &o)
	s.model.root(&c, final)
}

func (s *schedule) addBytes() {
	if s.plain || len(s.spans) == 0 {
		return
	}
	span, n := s.spans[s.choose(len(s.spans))], int64(s.choose(4))-1
	s.agg.AddBytes(span.trace, span.id, n)
	if span.closed == 0 && n > 0 {
		span.bytes += uint64(n)
	}
}

// check wants what holds in every snapshot.
func (s *schedule) check(got *Snapshot) {
	if !s.absurd {
		checkInvariants(s.t, got)
	}
	checkSums(s.t, got)
	if s.early {
		// Nothing ever goes down, so that snapshots can be subtracted.
		_, err := got.Sub(s.before)
		require.NoError(s.t, err)
		s.before = got
	}
}

// compareExactly wants everything to be as the oracle says.
func (s *schedule) compareExactly(got *Snapshot) {
	s.check(got)
	want, have := s.model.profile(), flat(got)
	require.Equal(s.t, want.counters, have.counters)
	requireSameEntries(s.t, want.blocks, have.blocks)
	requireSameEntries(s.t, want.nodes, have.nodes)
	require.Equal(s.t, want.off, have.off)
}

// requireSameEntries compares maps entry by entry, so that a failure shows what differs and no more.
func requireSameEntries[K comparable, V any](t testing.TB, want, have map[K]V) {
	t.Helper()
	for key, w := range want {
		if h, ok := have[key]; !ok || !reflect.DeepEqual(w, h) {
			require.Equal(t, w, h, "%v", key)
			require.Fail(t, "missing", "%v", key)
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok {
			require.Fail(t, "too much", "%v", key)
		}
	}
}

// Every statistic of random schedules is what the oracle says: at the end, and in every snapshot on the way.
func TestScheduleAgreesWithOracle(t *testing.T) {
	runSchedules(t, 50, 400, scheduleKind{})
}

// Moments and durations at the ends of their range saturate the sums and never wrap.
func TestScheduleAgreesWithOracleAtTheEndsOfTime(t *testing.T) {
	runSchedules(t, 25, 400, scheduleKind{absurd: true})
}

// runSchedules runs schedules from random seeds, which it prints when one fails.
func runSchedules(t *testing.T, n, steps int, kind scheduleKind) {
	t.Helper()
	for range n {
		seed := rand.Uint64()
		kind.selfTimes = seed%2 == 1
		ok := t.Run("", func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %#x", seed)
				}
			}()
			newSchedule(t, kind, rand.New(rand.NewPCG(seed, 0)).IntN).run(steps)
		})
		if !ok {
			return
		}
	}
}

// The bytes of a fuzz input are the choices of a schedule.
func FuzzSchedule(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 600+seed%2)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s *schedule
		choose := func(n int) int {
			if len(data) == 0 {
				s.left = 0
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b) % n
		}
		s = newSchedule(t, scheduleKind{absurd: true, selfTimes: len(data)%2 == 1}, choose)
		s.run(1000)
	})
}
