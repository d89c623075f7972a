package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// traffic is a segment with the requests that its spans came in, which can be changed to another one of the same size.
type traffic struct {
	store.Segment
	requests [][]byte
	spans    int
	places   []idPlaces
}

// idPlaces are where in its request a span has what must differ from round to round. The parent is 0
// for a root. They are no slices, so that there is nothing for the garbage collector.
type idPlaces struct{ request, trace, id, parent, start, end int32 }

func newTraffic(tb testing.TB, traces int) *traffic {
	m := storetest.NewGenerator(1).Segment(traces)
	m.AddProfiles()
	t := &traffic{requests: m.Requests(510), spans: len(m.Spans)}
	t.Origins, t.Profiles = m.Origins, m.Profiles
	index := map[core.TraceID]int{}
	var walker otlp.Walker
	for i, request := range t.requests {
		base := 0
		require.NoError(tb, walker.Walk(request, func(s *otlp.Span) error {
			n, ok := index[s.Trace]
			if !ok {
				n = len(t.Traces)
				index[s.Trace] = n
				t.Traces = append(t.Traces, store.Trace{ID: s.Trace})
			}
			origin := slices.IndexFunc(t.Origins, func(o store.Origin) bool { return o.Service == string(s.Origin.Service) })
			t.Traces[n].Spans = append(t.Traces[n].Spans, store.Span{Origin: origin, Raw: s.Raw})
			base += bytes.Index(request[base:], s.Raw)
			t.places = append(t.places, placesIn(i, base, s.Raw))
			return nil
		}))
	}
	return t
}

func placesIn(request, base int, raw []byte) idPlaces {
	p := idPlaces{request: int32(request)}
	for i := 0; i < len(raw); {
		tag, value, end := cutField(raw, i)
		at := int32(base + value)
		switch tag {
		case tagTrace:
			p.trace = at
		case tagSpan:
			p.id = at
		case tagParent:
			p.parent = at
		case tagStart:
			p.start = at
		case tagEnd:
			p.end = at
		}
		i = end
	}
	return p
}

// next makes other traces of the same ones, which come later.
func (t *traffic) next(round uint64) {
	change := round * 0x9E3779B97F4A7C15
	swap := func(b []byte) { binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^change) }
	later := func(b []byte) { binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)+6_400_000_000) }
	for _, p := range t.places {
		request := t.requests[p.request]
		swap(request[p.trace:])
		swap(request[p.id:])
		if p.parent != 0 {
			swap(request[p.parent:])
		}
		later(request[p.start:])
		later(request[p.end:])
	}
	for i := range t.Traces {
		swap(t.Traces[i].ID[:])
	}
}

// ingest appends the requests, from several goroutines as a server does, and commits the segment.
func (t *traffic) ingest(tb testing.TB, s store.Store) {
	t.Consumed = make([]store.Consumed, len(t.requests))
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := worker; i < len(t.requests); i += 4 {
				seq, err := s.Append(context.Background(), t.requests[i])
				if err != nil {
					tb.Error(err)
				}
				t.Consumed[i] = store.Consumed{Seq: seq, All: true}
			}
		})
	}
	group.Wait()
	slices.SortFunc(t.Consumed, func(a, b store.Consumed) int { return int(a.Seq) - int(b.Seq) })
	require.NoError(tb, s.Commit(context.Background(), &t.Segment))
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(os.Getenv("OTELPROF_BENCH_DIR"), "bench")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, os.RemoveAll(dir)) })
	return dir
}

// BenchmarkIngest is the durable path: Append of requests of 510 spans from four goroutines and Commit of segments of some
// 64k spans, with everything that Pebble does in the background. An operation is a segment:
//
//	go test -run '^$' -bench Ingest -benchtime 16x ./internal/store/pebblestore
func BenchmarkIngest(b *testing.B) {
	t := newTraffic(b, 6300)
	s, err := Open(Options{Dir: benchDir(b)})
	require.NoError(b, err)
	b.ResetTimer()
	before := cpuTime()
	for i := range b.N {
		t.next(uint64(i) + 1)
		t.ingest(b, s)
	}
	require.NoError(b, s.db.Flush())
	cpu := cpuTime() - before
	b.StopTimer()
	spans := float64(b.N * t.spans)
	b.ReportMetric(cpu.Seconds()/spans*1e6, "cpu-s/Mspans")
	b.ReportMetric(float64(s.logical())/spans, "B/span")
	b.ReportMetric(float64(s.physical())/spans, "diskB/span")
	b.ReportMetric(spans/b.Elapsed().Seconds(), "spans/s")
	var raw int
	for _, r := range t.requests {
		raw += len(r)
	}
	b.ReportMetric(float64(raw)/float64(t.spans), "rawB/span")
	require.NoError(b, s.Close())
}
