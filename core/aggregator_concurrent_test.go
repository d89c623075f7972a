package core

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// worker runs traces of its own against a shared Aggregator, and keeps the oracle's account of them. Its clock counts
// its steps, so that children start after their parents and end in any order.
type worker struct {
	agg   *Aggregator
	model *oracle
	r     *rand.Rand
	open  []*oracleSpan
	trace TraceID
	ids   uint64
}

func newWorker(a *Aggregator, n int) *worker {
	w := &worker{agg: a, model: newOracle(), r: rand.New(rand.NewPCG(uint64(n), 7))}
	binary.BigEndian.PutUint64(w.trace[:], uint64(n+1))
	return w
}

func (w *worker) step() {
	if len(w.open) > 0 && w.r.IntN(2) == 0 {
		w.end(w.r.IntN(len(w.open)))
		return
	}
	w.begin()
}

func (w *worker) begin() {
	w.ids++
	o := Opening{Trace: w.trace}
	binary.BigEndian.PutUint64(o.Trace[8:], w.ids)
	if n := len(w.open); n > 0 && w.r.IntN(6) > 0 {
		parent := w.open[n-1-w.r.IntN(min(n, 3))]
		o.Trace, o.Parent = parent.trace, parent.id
	}
	binary.LittleEndian.PutUint64(o.Span[:], w.ids)
	name := Site{Track: "t", Name: fmt.Sprint("n", w.r.IntN(6))}
	begin := int64(w.model.ticks)
	o.Ref = description{name, begin}
	w.agg.Open(&o)
	w.open = append(w.open, w.model.open(&o, name, begin))
}

func (w *worker) end(i int) {
	span := w.open[i]
	w.open = append(w.open[:i], w.open[i+1:]...)
	c := Closing{
		Trace: span.trace, Span: span.id, Label: w.agg.Label(span.name), Start: span.begin,
		Duration: int64(w.model.ticks) - span.begin, Failed: w.r.IntN(3) == 0, Exemplar: span.id,
	}
	w.agg.Close(&c)
	w.model.close(span, &c, span.name)
	if w.r.IntN(20) == 0 {
		w.agg.Close(&c)
		w.model.counters.Duplicates++
	}
}

// description is what is known of an open span.
type description struct {
	name  Site
	begin int64
}

// runWorkers runs workers to their ends, and meanwhile other in a loop, at least once before the last spans end. Each begins
// with so many open spans.
func runWorkers(t *testing.T, limits Limits, open, steps int, other func(a *Aggregator)) (*Aggregator, *oracle) {
	var a *Aggregator
	a, err := New(Config{Limits: limits, SelfHistograms: true, Describe: func(ref any) (*Label, int64) {
		d := ref.(description)
		return a.Label(d.name), d.begin
	}})
	require.NoError(t, err)
	workers := make([]*worker, 8)
	var opened, busy, watch sync.WaitGroup
	seen, done := make(chan struct{}), make(chan struct{})
	opened.Add(len(workers))
	watch.Go(func() {
		opened.Wait()
		other(a)
		close(seen)
		for {
			other(a)
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range workers {
		workers[i] = newWorker(a, i)
		busy.Go(func() {
			for range open {
				workers[i].begin()
			}
			opened.Done()
			for range steps {
				workers[i].step()
			}
			<-seen
			for len(workers[i].open) > 0 {
				workers[i].end(len(workers[i].open) - 1)
			}
		})
	}
	busy.Wait()
	close(done)
	watch.Wait()
	sum := newOracle()
	sum.selfTimes = true
	for _, w := range workers {
		sum.counted = append(sum.counted, w.model.counted...)
		sum.counters.Duplicates += w.model.counters.Duplicates
	}
	return a, sum
}

// Snapshots that are taken all the time see counts that never go down, and leave everything exact, tree and all.
func TestSnapshotsWhileRecordingConcurrentSafe(t *testing.T) {
	var last *Snapshot
	a, want := runWorkers(t, Limits{}, 0, 250, func(a *Aggregator) {
		s := a.Snapshot()
		checkInvariants(t, s)
		checkSums(t, s)
		_, err := s.Sub(last)
		require.NoError(t, err)
		last = s
	})
	got := flat(a.Snapshot())
	requireSameEntries(t, want.profile().blocks, got.blocks)
	requireSameEntries(t, want.profile().nodes, got.nodes)
	// Second ends that come late are ignored without being counted.
	require.LessOrEqual(t, got.counters.Duplicates, want.counters.Duplicates)
	got.counters.Duplicates = want.counters.Duplicates
	require.Equal(t, want.profile().counters, got.counters)
}

// Every observation is in exactly one of the snapshots taken.
func TestTakesWhileRecordingConcurrentSafe(t *testing.T) {
	for name, with := range map[string]struct {
		limits Limits
		open   int
	}{
		"default":  {DefaultLimits(), 0},
		"settling": {limitsWith(func(l *Limits) { l.MaxPending = 2 }), 0},
		// So many that several goroutines copy them.
		"many open spans": {DefaultLimits(), openPerCopy / 2},
	} {
		t.Run(name, func(t *testing.T) {
			sum, most := &Snapshot{}, int64(0)
			a, want := runWorkers(t, with.limits, with.open, 250, func(a *Aggregator) {
				s := a.Take()
				checkInvariants(t, s)
				most = max(most, s.Total().Active)
				sum = Merge(sum, s)
			})
			if with.open > 0 {
				require.Greater(t, most, int64(openPerCopy))
			}
			sum = Merge(sum, a.Take())
			require.Zero(t, a.Snapshot().Counters.Spans)
			got := flat(sum).used()
			for site, b := range got {
				b.Stats.Active = 0 // counted once for each snapshot
				got[site] = b
			}
			for site, b := range want.profile().used() {
				require.Equal(t, b, got[site])
			}
			require.LessOrEqual(t, sum.Counters.Duplicates, want.counters.Duplicates)
		})
	}
}

// Settling changes paths, and no block.
func TestSettlingConcurrentSafe(t *testing.T) {
	limits := limitsWith(func(l *Limits) { l.MaxPending = 2 })
	a, want := runWorkers(t, limits, 0, 250, func(a *Aggregator) { checkInvariants(t, a.Snapshot()) })
	s := a.Snapshot()
	checkSums(t, s)
	require.Positive(t, s.Counters.Settled)
	requireSameEntries(t, want.profile().used(), flat(s).used())
}

// Clear, Reset, switches and bytes from everywhere: the profile stays sound, and is exact from the last Clear on.
func TestClearWhileRecordingConcurrentSafe(t *testing.T) {
	limits := limitsWith(func(l *Limits) { l.MaxPending, l.MaxActive, l.MaxSites = 4, 100, 4 })
	n := 0
	a, _ := runWorkers(t, limits, 0, 250, func(a *Aggregator) {
		switch n++; n % 5 {
		case 0:
			a.Clear()
		case 1:
			a.Reset()
		case 2, 3:
			a.SetTrackEnabled("t", n%5 == 3)
			a.AddBytes(TraceID{1}, SpanID{1}, 1)
		default:
			checkInvariants(t, a.Snapshot())
		}
	})
	a.SetTrackEnabled("t", true)
	a.Clear()
	a.Record(a.Label(Site{Track: "t", Name: "after"}), &Observation{Duration: 1})
	s := a.Snapshot()
	checkInvariants(t, s)
	require.EqualValues(t, 1, s.Counters.Spans)
	require.Len(t, s.Blocks, 1)
	for i := range a.shards {
		require.Zero(t, a.shards[i].open)
		require.Zero(t, a.shards[i].live)
	}
}

// One site from many goroutines: the counts of each snapshot are those of its histogram, and nothing is lost.
func TestRecordConcurrentSafe(t *testing.T) {
	const goroutines, each = 8, 5000
	a, err := New(Config{})
	require.NoError(t, err)
	l := a.Label(Site{Track: "t", Name: "n"})
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := range int64(each) {
				a.Record(l, &Observation{Start: i, Duration: i, Bytes: 1, Failed: i%2 == 0})
			}
		})
	}
	for range 5 {
		checkInvariants(t, a.Snapshot())
	}
	all.Wait()
	s := a.Snapshot()
	checkInvariants(t, s)
	got := s.Blocks[0].Stats
	require.EqualValues(t, goroutines*each, got.Count)
	require.EqualValues(t, goroutines*each/2, got.Errors)
	require.EqualValues(t, goroutines*each, got.Bytes)
	require.EqualValues(t, goroutines*each*(each-1)/2, got.Total)
	require.EqualValues(t, got.Total, got.Self)
	require.EqualValues(t, 0, got.Min)
	require.EqualValues(t, each-1, got.Max)
	require.EqualValues(t, 2*(each-1), got.Last)
}
