package pipeline

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/buffer"
	"github.com/stichotrope/stichotrope-go/server/internal/demo"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

// load is requests of one service each, as exporters send them, and where in them the ids of traces are.
type load struct {
	requests [][]byte
	traces   [][]byte
	spans    int
	bytes    int
}

func newLoad(b testing.TB, spans int) *load {
	l := &load{}
	g := demo.New(1)
	waiting := map[string][]demo.Span{}
	start := time.Now().Add(-30 * time.Second)
	for l.spans < spans {
		for _, s := range g.Trace(start) {
			list := append(waiting[s.Service], s)
			if len(list) == 510 {
				request, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{
					ResourceSpans: []*tracepb.ResourceSpans{demo.Resource(s.Service, list)},
				})
				if err != nil {
					b.Fatal(err)
				}
				l.requests = append(l.requests, request)
				l.spans += len(list)
				list = nil
			}
			waiting[s.Service] = list
		}
		start = start.Add(100 * time.Microsecond)
	}
	var w otlp.Walker
	for _, r := range l.requests {
		err := w.Walk(r, func(s *otlp.Span) error {
			l.traces = append(l.traces, s.Raw[2:18])
			l.bytes += len(s.Raw)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return l
}

// renew makes other traces of the same spans.
func (l *load) renew(n int) {
	for _, id := range l.traces {
		id[15] ^= byte(n)
		id[14] ^= byte(n >> 8)
		id[13]++
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIngest measures the CPU time of a span from its request to its segment, garbage collection included, in a
// pipeline that is warm. What the memory store itself costs is in it.
func BenchmarkIngest(b *testing.B) {
	l := newLoad(b, 200_000)
	b.Logf("%d bytes a span, %d sites", l.bytes/l.spans, len(l.requests))
	for _, mode := range []string{"none", "discard", "memory"} {
		b.Run("store="+mode, func(b *testing.B) {
			p := openBench(b, mode)
			l.renew(0)
			l.ingest(b, p) // what is allocated once
			b.ReportAllocs()
			var used time.Duration
			b.ResetTimer()
			for n := range b.N {
				b.StopTimer()
				l.renew(n + 1)
				used -= cpu()
				b.StartTimer()
				l.ingest(b, p)
				used += cpu()
			}
			used -= cpu()
			if err := p.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
			used += cpu()
			b.ReportMetric(used.Seconds()/float64(b.N*l.spans)*1e6, "cpu-s/M")
			if n := p.Counters(); n.Filed != uint64((b.N+1)*l.spans) || n.Duplicates+n.Cycles > 0 {
				b.Fatalf("%+v", n)
			}
		})
	}
}

// discard is a store that keeps nothing.
type discard struct {
	store.Store
	seq atomic.Uint64
}

func (d *discard) Append(context.Context, []byte) (uint64, error)   { return d.seq.Add(1), nil }
func (d *discard) Commit(_ context.Context, g *store.Segment) error { return g.Validate() }

func openBench(b *testing.B, mode string) *Pipeline {
	c := Config{
		Recycle: buffer.Put,
		Store:   memory.New(memory.Options{}), StatisticsOnly: mode == "none", Memory: 4 << 30,
		TraceGrace: 100 * time.Millisecond, TraceIdle: 100 * time.Millisecond,
	}
	if mode == "discard" {
		c.Store = &discard{Store: c.Store}
	}
	p, err := Open(context.Background(), c)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func (l *load) ingest(b *testing.B, p *Pipeline) {
	for _, r := range l.requests {
		r = append(buffer.Get(len(r)), r...) // as a receiver does
		if _, err := p.Ingest(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead measures what of that is checking and reading requests.
func BenchmarkRead(b *testing.B) {
	l := newLoad(b, 200_000)
	p := openBench(b, "none")
	defer p.Close(context.Background())
	r := p.readers.take(p)
	for b.Loop() {
		for _, request := range l.requests {
			if _, err := r.first(request); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*l.spans), "ns/span")
}

// BenchmarkPendingSearch measures questions about spans that wait for others of their traces. While it looks for those that
// may match, nothing is filed.
func BenchmarkPendingSearch(b *testing.B) {
	l := newLoad(b, 400_000)
	p, err := Open(context.Background(), Config{Store: memory.New(memory.Options{}), Memory: 4 << 30, TraceGrace: time.Hour, TraceIdle: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	l.ingest(b, p)
	for name, q := range map[string]*store.Query{
		"duration":  {Service: "checkout", Operation: "POST /orders", MinDuration: 30 * time.Millisecond, Limit: 20},
		"attribute": {Service: "cart", Attributes: []store.Attribute{{Key: "user.id", Value: "user-7"}}, Limit: 20},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if hits, err := p.Live().Search(context.Background(), q); err != nil || len(hits) == 0 {
					b.Fatal(len(hits), err)
				}
			}
		})
	}
}
