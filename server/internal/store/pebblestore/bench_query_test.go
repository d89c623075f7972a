package pebblestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// percentiles reports the median and the 99th percentile of the times of f.
func percentiles(b *testing.B, f func(i int)) {
	times := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		start := time.Now()
		f(i)
		times = append(times, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkQuery asks a store of a million spans, with the caches as the questions before left them:
//
//	go test -run '^$' -bench Query -benchtime 200x ./internal/store/pebblestore
func BenchmarkQuery(b *testing.B) {
	s, err := Open(Options{Dir: benchDir(b)})
	require.NoError(b, err)
	g := storetest.NewGenerator(5)
	var sample []storetest.Span
	spans := 0
	for spans < 1_000_000 {
		m := g.Segment(6300)
		require.NoError(b, s.Commit(background, &m.Segment))
		spans += len(m.Spans)
		for range 40 {
			sample = append(sample, m.Spans[g.IntN(len(m.Spans))])
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	attribute := func(sp *storetest.Span, key string) []store.Attribute {
		i := slices.IndexFunc(sp.Attributes, func(a store.Attribute) bool { return a.Key == key })
		if i < 0 {
			return nil
		}
		return sp.Attributes[i : i+1]
	}
	unique := func(sp *storetest.Span) []store.Attribute {
		return append(attribute(sp, "url.path"), attribute(sp, "enduser.id")...)
	}
	for _, q := range []struct {
		name string
		make func(sp *storetest.Span) *store.Query
	}{
		{"Service", func(sp *storetest.Span) *store.Query { return &store.Query{Service: sp.Service} }},
		{"Operation", func(sp *storetest.Span) *store.Query { return &store.Query{Service: sp.Service, Operation: sp.Name} }},
		{"LongerThan", func(sp *storetest.Span) *store.Query {
			return &store.Query{Service: sp.Service, Operation: sp.Name, MinDuration: 200 * time.Millisecond}
		}},
		{"Errors", func(sp *storetest.Span) *store.Query {
			return &store.Query{Service: sp.Service, Attributes: []store.Attribute{{Key: "error", Value: "true"}}}
		}},
		{"UniqueAttribute", func(sp *storetest.Span) *store.Query { return &store.Query{Attributes: unique(sp)} }},
		{"CommonAttribute", func(sp *storetest.Span) *store.Query {
			return &store.Query{Attributes: []store.Attribute{{Key: "retry", Value: "true"}}}
		}},
		{"Nothing", func(sp *storetest.Span) *store.Query {
			return &store.Query{Attributes: []store.Attribute{{Key: "enduser.id", Value: sp.ID.String()}}}
		}},
	} {
		b.Run("Search"+q.name, func(b *testing.B) {
			percentiles(b, func(int) {
				query := q.make(&sample[rng.IntN(len(sample))])
				query.Limit = 20
				_, err := s.Search(background, query)
				require.NoError(b, err)
			})
		})
	}
	b.Run("TraceByID", func(b *testing.B) {
		percentiles(b, func(int) {
			found, err := s.Traces(background, []core.TraceID{sample[rng.IntN(len(sample))].Trace}, store.Range{})
			require.NoError(b, err)
			require.Len(b, found.Traces, 1)
		})
	})
	b.Run("Operations", func(b *testing.B) {
		percentiles(b, func(int) {
			_, err := s.Operations(background, services(b, s)[0])
			require.NoError(b, err)
		})
	})
	b.Run("Open", func(b *testing.B) {
		percentiles(b, func(int) { s = reopenWith(b, s) })
	})
	require.NoError(b, s.Close())
}

// BenchmarkChunk reads a chunk of 1024 spans: every span, and only the last trace.
func BenchmarkChunk(b *testing.B) {
	w, err := newBlockWriter()
	require.NoError(b, err)
	chunk, _ := encodeChunk(b, w, storetest.NewGenerator(1).Segment(170).Traces)
	r := newChunkReader(b)
	for _, keep := range []bool{true, false} {
		b.Run(fmt.Sprintf("keep=%v", keep), func(b *testing.B) {
			spans, before := 0, cpuTime()
			for range b.N {
				require.NoError(b, r.open(chunk))
				for {
					_, n, ok, err := r.next()
					require.NoError(b, err)
					if !ok {
						break
					}
					var raw []byte
					for i := range n {
						if _, err = r.span(i); err != nil {
							b.Fatal(err)
						}
						if keep {
							raw = r.raw(raw[:0])
						}
					}
					spans += n
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(spans), "cpu-ns/span")
		})
	}
}

func services(b *testing.B, s *Store) []string {
	names, err := s.Services(background)
	require.NoError(b, err)
	return names
}

func reopenWith(b *testing.B, s *Store) *Store {
	require.NoError(b, s.Close())
	s, err := Open(s.options)
	require.NoError(b, err)
	return s
}

// BenchmarkProfile asks for the profile of 24 hours of 1000 sites, each of which had ten spans a minute.
func BenchmarkProfile(b *testing.B) {
	s, err := Open(Options{Dir: benchDir(b)})
	require.NoError(b, err)
	rng := rand.New(rand.NewPCG(1, 1))
	first := storetest.Epoch.Unix() / 60
	// Each of the snapshots comes again every twenty minutes: they take long to make.
	var snapshots []*core.Snapshot
	for range 20 {
		a, err := core.New(core.Config{})
		require.NoError(b, err)
		for site := range 1000 {
			label := a.Label(core.Site{Service: fmt.Sprintf("service-%d", site%20), Track: "http", Name: fmt.Sprintf("GET /thing/%d", site), Kind: core.KindServer})
			for range 10 {
				a.Record(label, &core.Observation{Start: first * 60e9, Duration: int64(1e6 + rng.ExpFloat64()*20e6)})
			}
		}
		snapshots = append(snapshots, a.Snapshot())
	}
	for minute := first; minute < first+26*60; minute++ {
		profile := store.Profile{Minute: minute, Snapshot: snapshots[minute%20]}
		require.NoError(b, s.Commit(background, &store.Segment{Profiles: []store.Profile{profile}}))
	}
	for _, hour := range s.profiles.due() {
		require.NoError(b, s.profiles.roll(hour))
	}
	ask := func(b *testing.B, from, minutes int64) {
		within := store.Range{From: time.Unix((first+from)*60, 0), To: time.Unix((first+from+minutes)*60, 0)}
		p, err := s.Profile(background, within)
		require.NoError(b, err)
		require.Len(b, p.Blocks, 1000)
	}
	b.Run("Day", func(b *testing.B) { percentiles(b, func(int) { ask(b, 0, 24*60) }) })
	b.Run("DayFromAnyMinute", func(b *testing.B) { percentiles(b, func(i int) { ask(b, 37, 24*60) }) })
	b.Run("DaySliding", func(b *testing.B) { percentiles(b, func(i int) { ask(b, int64(i%60), 24*60) }) })
	b.Run("Hour", func(b *testing.B) { percentiles(b, func(i int) { ask(b, int64(i%600), 60) }) })
	size, err := s.Size(background)
	require.NoError(b, err)
	b.Logf("%d bytes per minute and hour", size.Bytes/(26*60))
	require.NoError(b, s.Close())
}
