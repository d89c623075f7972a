package core

import (
	"encoding/binary"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// hooked returns an Aggregator that calls what is in hook whenever a snapshot or a trace that is being settled asks
// for the name of an open span: at these moments other goroutines get in between, and no lock is held.
func hooked(t *testing.T, limits Limits, hook *func()) *Aggregator {
	var a *Aggregator
	a, err := New(Config{Limits: limits, Describe: func(ref any) (*Label, int64) {
		l := a.Label(Site{Track: "t", Name: ref.(string)})
		if *hook != nil {
			(*hook)()
		}
		return l, 0
	}})
	require.NoError(t, err)
	return a
}

// traceIn returns the id of a trace in a shard.
func (a *Aggregator) traceIn(shard uint64) (id TraceID) {
	for n := uint64(1); ; n++ {
		binary.LittleEndian.PutUint64(id[:], n)
		if hashTrace(&id)>>32&a.mask == shard&a.mask {
			return id
		}
	}
}

func (a *Aggregator) end(trace TraceID, span SpanID, name string) {
	a.Close(&Closing{
		Trace: trace, Span: span, Label: a.Label(Site{Track: "t", Name: name}), Duration: 10, Unstarted: true,
	})
}

// A trace that ends after a snapshot has copied it, and before the snapshot has read the tree, is in the snapshot once,
// and a second end of its spans is a second end.
func TestTraceThatEndsDuringASnapshot(t *testing.T) {
	for name, take := range map[string]func(a *Aggregator) *Snapshot{
		"snapshot": (*Aggregator).Snapshot, "take": (*Aggregator).Take,
	} {
		t.Run(name, func(t *testing.T) {
			var hook func()
			a := hooked(t, Limits{}, &hook)
			first, last := a.traceIn(0), a.traceIn(a.mask)
			a.Open(&Opening{Trace: first, Span: SpanID{1}, Ref: "root"})
			a.Open(&Opening{Trace: first, Span: SpanID{2}, Parent: SpanID{1}, Ref: "child"})
			a.end(first, SpanID{2}, "child")
			a.Open(&Opening{Trace: last, Span: SpanID{3}, Ref: "last"})
			calls := 0
			hook = func() {
				if calls++; calls != 2 { // the first is for the root, the second for the last shard
					return
				}
				for range 2 {
					a.end(first, SpanID{1}, "root")
					a.end(first, SpanID{2}, "child")
				}
				// The trace goes on.
				a.Open(&Opening{Trace: first, Span: SpanID{4}, Parent: SpanID{1}, Ref: "late"})
				a.end(first, SpanID{4}, "late")
			}
			got := take(a)
			hook = nil
			checkInvariants(t, got)
			require.EqualValues(t, 1, got.Block(Site{Track: "t", Name: "child"}).Stats.Count)
			require.EqualValues(t, 1, got.Block(Site{Track: "t", Name: "child"}).Pending)
			a.end(last, SpanID{3}, "last")

			rest := a.Snapshot()
			checkInvariants(t, rest)
			sum := rest
			if name == "take" {
				sum = Merge(got, rest)
			}
			require.EqualValues(t, 4, sum.Counters.Spans)
			require.EqualValues(t, 3, sum.Counters.Duplicates)
			require.EqualValues(t, 1, sum.Counters.Detached)
			require.Zero(t, sum.Counters.Unstarted)
			if name == "snapshot" {
				require.Equal(t, 4, len(rest.Nodes))
				require.Zero(t, rest.Block(Site{Track: "t", Name: "child"}).Pending)
			}
		})
	}
}

// What is settled, evicted or ends while a snapshot is taken is in it once, or in the next one.
func TestSettlingAndEvictionDuringATake(t *testing.T) {
	var hook func()
	limits := limitsWith(func(l *Limits) { l.MaxPending, l.MaxActive = 4, 64 })
	a := hooked(t, limits, &hook)
	spans := uint64(0)
	add := func(shard, n uint64) {
		trace := a.traceIn(shard)
		a.Open(&Opening{Trace: trace, Span: SpanID{255}, Ref: "root"})
		for range n {
			spans++
			id := SpanID{}
			binary.BigEndian.PutUint64(id[:], spans)
			a.Open(&Opening{Trace: trace, Span: id, Parent: SpanID{255}, Ref: "child"})
			a.end(trace, id, "child")
		}
	}
	add(0, 3)
	add(a.mask/2, 3)
	add(a.mask, 3)
	busy := false
	hook = func() {
		if busy {
			return
		}
		busy = true
		add(0, 20)      // settles, or would, but for the snapshot
		add(a.mask, 20) // settles in front of the snapshot
		for i := range uint64(100) {
			a.Open(&Opening{Trace: TraceID{1, byte(i)}, Span: SpanID{1, byte(i)}, Ref: "evicted"})
		}
		busy = false
	}
	first := a.Take()
	hook = nil
	second := a.Take()
	for _, s := range []*Snapshot{first, second} {
		checkInvariants(t, s)
	}
	both := Merge(first, second).Counters
	require.Equal(t, spans, both.Spans)
	require.Positive(t, both.Evicted)
	require.Positive(t, both.Settled)
	require.Zero(t, a.Snapshot().Counters.Spans)
}

// A Clear that comes while a trace is being settled does not bring nodes of the old tree into the new one, nor lose
// what is recorded after it.
func TestClearWhileSettling(t *testing.T) {
	var hook func()
	limits := limitsWith(func(l *Limits) { l.MaxPending = 4 })
	a := hooked(t, limits, &hook)
	trace := TraceID{1}
	a.Open(&Opening{Trace: trace, Span: SpanID{1}, Ref: "root"})
	a.Open(&Opening{Trace: trace, Span: SpanID{3}, Ref: "other root"})
	calls := 0
	hook = func() {
		if calls++; calls == 2 { // the first has its label already
			hook = nil
			a.Clear()
		}
	}
	const children = 100
	counted := uint64(0)
	for i := range byte(children) {
		id := SpanID{2, i}
		a.Open(&Opening{Trace: trace, Span: id, Parent: SpanID{1}, Ref: "child"})
		a.end(trace, id, "child")
		if hook == nil {
			counted++
		}
	}
	require.NotZero(t, counted)
	require.NotEqual(t, uint64(children), counted)
	a.end(trace, SpanID{3}, "other root")
	a.end(trace, SpanID{1}, "root")
	s := a.Snapshot()
	checkInvariants(t, s)
	require.Equal(t, counted, s.Block(Site{Track: "t", Name: "child"}).Stats.Count)
	require.EqualValues(t, 1, s.Block(Site{Track: "t", Name: "root"}).Stats.Count)
	require.Len(t, s.Nodes, 3)
}

// The end of a span may look up its label before a Clear and be recorded after it.
func TestLabelFromBeforeAClear(t *testing.T) {
	a, err := New(Config{})
	require.NoError(t, err)
	trace := TraceID{1}
	old := a.Label(Site{Track: "t", Name: "n"})
	a.Record(old, &Observation{})
	a.Snapshot()
	a.Open(&Opening{Trace: trace, Span: SpanID{1}})
	a.Open(&Opening{Trace: trace, Span: SpanID{2}, Parent: SpanID{1}})
	a.Clear()
	for _, before := range "abc" { // they are numbered before it
		a.Record(a.Label(Site{Track: "t", Name: string(before)}), &Observation{})
	}
	a.end(trace, SpanID{2}, "n")
	sh := &a.shards[hashTrace(&trace)>>32&a.mask]
	sh.find(hashTrace(&trace), &trace).records[1].label = old
	first := a.Take()
	checkInvariants(t, first)
	require.EqualValues(t, 4, first.Counters.Spans)
	require.EqualValues(t, 1, first.Block(Site{Track: "t", Name: "n"}).Pending)
	a.end(trace, SpanID{1}, "n")
	s := a.Take()
	checkInvariants(t, s)
	require.EqualValues(t, 1, s.Counters.Spans)
}

// A trace is being settled when a snapshot copies it: what the snapshot has as pending must not reach the tree that it
// is yet to read.
func TestSnapshotWhileSettling(t *testing.T) {
	settling, copied, settled := make(chan struct{}), make(chan struct{}), make(chan struct{})
	roots := 0
	var once sync.Once
	var a *Aggregator
	a, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxPending = 4 }), Describe: func(ref any) (*Label, int64) {
		switch ref {
		case "root":
			if roots++; roots == 1 { // asked by settle; the snapshot is second
				close(settling)
				<-copied
			}
		case "in the last shard":
			once.Do(func() { close(copied) })
			<-settled
		}
		return a.Label(Site{Track: "t", Name: ref.(string)}), 0
	}})
	require.NoError(t, err)
	first, last := a.traceIn(0), a.traceIn(a.mask)
	a.Open(&Opening{Trace: last, Span: SpanID{9}, Ref: "in the last shard"})
	go func() {
		defer close(settled)
		a.Open(&Opening{Trace: first, Span: SpanID{1}, Ref: "root"})
		for i := range byte(4) {
			a.Open(&Opening{Trace: first, Span: SpanID{2, i}, Parent: SpanID{1}, Ref: "child"})
			a.end(first, SpanID{2, i}, "child")
		}
	}()
	<-settling
	s := a.Snapshot()
	checkInvariants(t, s)
	checkSums(t, s)
	require.EqualValues(t, 3, s.Counters.Spans, "the fourth ended after it began")
	require.EqualValues(t, 4, a.Take().Counters.Spans)
}

// A span that ends after a Take began, with a child that began after it too, is left to the next one: when the child
// began is not known yet, and so neither is the span's self time.
func TestChildThatBeginsDuringATake(t *testing.T) {
	var a *Aggregator
	var hook func()
	a, err := New(Config{Describe: func(ref any) (*Label, int64) {
		d := ref.(description)
		if hook != nil {
			hook()
		}
		return a.Label(d.name), d.begin
	}})
	require.NoError(t, err)
	root, child := Site{Track: "t", Name: "root"}, Site{Track: "t", Name: "child"}
	trace := TraceID{1}
	a.Open(&Opening{Trace: trace, Span: SpanID{1}, Ref: description{root, 0}})
	hook = func() {
		hook = nil
		a.Open(&Opening{Trace: trace, Span: SpanID{2}, Parent: SpanID{1}, Ref: description{child, 40}})
		a.Close(&Closing{Trace: trace, Span: SpanID{1}, Label: a.Label(root), Duration: 100})
	}
	first := a.Take()
	require.Zero(t, first.Counters.Spans)
	second := a.Take() // now the start of the child is known
	require.EqualValues(t, 40, second.Block(root).Stats.Self)
	a.Close(&Closing{Trace: trace, Span: SpanID{2}, Label: a.Label(child), Start: 40, Duration: 100})
	third := a.Take()
	require.EqualValues(t, 1, third.Counters.Spans)
	require.EqualValues(t, 1, third.Block(child).Stats.Count)
}

// Clear forgets numbers, sites and nodes, makes room under the limits, and keeps switches and handles.
func TestClear(t *testing.T) {
	a, err := New(Config{
		Limits:   limitsWith(func(l *Limits) { l.MaxSites, l.MaxNodes = 2, 2 }),
		Disabled: func(track string) bool { return track == "off at first" },
	})
	require.NoError(t, err)
	count := func(l *Label) { a.Record(l, &Observation{Duration: 1}) }
	one, two, over := a.Label(Site{Name: "1"}), a.Label(Site{Name: "2"}), a.Label(Site{Name: "3"})
	count(one)
	count(two)
	count(over)
	require.False(t, one.Overflow())
	require.True(t, over.Overflow())
	a.SetTrackEnabled("switched off", false)
	a.SetTrackEnabled("off at first", true)
	a.Recovered()
	require.EqualValues(t, 1, a.Snapshot().Counters.OverflowSites)

	a.Clear()
	s := a.Snapshot()
	require.Empty(t, s.Blocks)
	require.Empty(t, s.Nodes)
	require.Zero(t, s.Counters)
	require.Equal(t, []string{"switched off"}, s.DisabledTracks)
	require.False(t, a.TrackEnabled("switched off"))
	require.True(t, a.TrackEnabled("off at first"))
	count(a.Label(Site{Name: "3"})) // has room now
	count(one)
	count(two) // and this one has none
	s = a.Snapshot()
	checkInvariants(t, s)
	require.EqualValues(t, 1, s.Block(Site{Name: "3"}).Stats.Count)
	require.EqualValues(t, 1, s.Block(Site{Name: "1"}).Stats.Count)
	require.EqualValues(t, 1, s.Block(OverflowSite).Stats.Count)
}

// A snapshot starts where the numbers do and ends when it was taken.
func TestWindowOfSnapshots(t *testing.T) {
	a, err := New(Config{Name: "shop"})
	require.NoError(t, err)
	first := a.Take()
	second := a.Snapshot()
	third := a.Snapshot()
	require.False(t, first.Start.After(first.End))
	require.Equal(t, first.End, second.Start)
	require.Equal(t, second.Start, third.Start)
	require.False(t, third.End.Before(second.End))
	a.Clear()
	fourth := a.Snapshot()
	require.False(t, fourth.Start.Before(third.End))
	require.Equal(t, []string{"shop"}, fourth.Names)
}

// Without Describe, and with a description of nothing, open spans are invisible and change nothing else.
func TestSpansWithoutDescription(t *testing.T) {
	for name, describe := range map[string]func(any) (*Label, int64){
		"none": nil, "nothing": func(any) (*Label, int64) { return nil, math.MinInt64 },
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(Config{Describe: describe, Limits: limitsWith(func(l *Limits) { l.MaxPending = 1 })})
			require.NoError(t, err)
			trace := TraceID{1}
			a.Open(&Opening{Trace: trace, Span: SpanID{1}, Ref: "root"})
			for i := range byte(10) {
				a.Open(&Opening{Trace: trace, Span: SpanID{2, i}, Parent: SpanID{1}, Ref: "child"})
				a.end(trace, SpanID{2, i}, "child")
			}
			s := a.Snapshot()
			checkInvariants(t, s)
			require.Len(t, s.Blocks, 1)
			require.EqualValues(t, 10, s.Blocks[0].Stats.Count)
			require.Positive(t, s.Counters.Settled)
			require.Equal(t, -1, s.Nodes[0].Parent, "the path is that of the parent's parent")
		})
	}
}

// A trace that ends after a snapshot has seen it live, and before the snapshot copies it, is counted once, also if its
// storage is too large to be used again.
func TestTraceThatEndsBeforeItIsCopied(t *testing.T) {
	var hook func()
	a := hooked(t, DefaultLimits(), &hook)
	trace := TraceID{1}
	a.Open(&Opening{Trace: trace, Span: SpanID{255}, Ref: "root"})
	const children = 8 * maxScan
	for i := range uint64(children) {
		var id SpanID
		binary.BigEndian.PutUint64(id[:], i+1)
		a.Open(&Opening{Trace: trace, Span: id, Parent: SpanID{255}, Ref: "child"})
		a.end(trace, id, "child")
	}
	hook = func() {
		hook = nil
		a.end(trace, SpanID{255}, "root")
	}
	s := a.Snapshot()
	require.Nil(t, hook, "the snapshot asked for the open root")
	checkInvariants(t, s)
	require.EqualValues(t, children+1, s.Counters.Spans)
	require.EqualValues(t, children+1, a.Snapshot().Counters.Spans)
}
