package exporter

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/stichotrope/stichotrope-go/core"
)

func failed(s *tracetest.SpanStub) { s.Status.Code = codes.Error }

func lasting(d time.Duration) func(*tracetest.SpanStub) {
	return func(s *tracetest.SpanStub) { s.EndTime = s.StartTime.Add(d) }
}

func TestWithKeep(t *testing.T) {
	exp := &fakeExporter{}
	asked := []string{}
	p := NewSpanProcessor(exp, WithKeep(func(s sdktrace.ReadOnlySpan) bool {
		asked = append(asked, s.Name())
		if s.Name() == "bad" {
			panic("boom")
		}
		return s.Name() == "good"
	}))
	p.OnEnd(stub("sampled"))
	for _, name := range []string{"good", "dull", "bad"} {
		p.OnEnd(stub(name, unsampled))
	}
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, []string{"good", "dull", "bad"}, asked)
	require.Equal(t, []string{"sampled", "good"}, exp.names())
	require.Equal(t, SpanStats{Received: 2, Kept: 1, Exported: 2, Panics: 1, Capacity: 2048}, p.Stats())
}

// profile is a Source that, like the profiler, knows the exemplars of each site.
type profile struct {
	mu    sync.Mutex
	sites map[core.Site]*core.Stats
}

func (f *profile) OnEnd(s sdktrace.ReadOnlySpan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	site := core.Site{Track: s.InstrumentationScope().Name, Name: s.Name()}
	stats := f.sites[site]
	if stats == nil {
		stats = &core.Stats{}
		f.sites[site] = stats
	}
	e := core.Exemplar{
		Trace:    core.TraceID(s.SpanContext().TraceID()),
		Span:     core.SpanID(s.SpanContext().SpanID()),
		Duration: uint64(s.EndTime().Sub(s.StartTime())),
		Time:     s.EndTime().UnixNano(),
	}
	if e.Duration >= stats.Slowest.Duration {
		stats.Slowest = e
	}
	if s.Status().Code == codes.Error && e.Time >= stats.LastError.Time {
		stats.LastError = e
	}
}

func (f *profile) Snapshot() *core.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &core.Snapshot{}
	for site, stats := range f.sites {
		s.Blocks = append(s.Blocks, core.Block{Site: site, Stats: *stats})
	}
	return s
}

// TestEveryExemplarResolves ends random spans, one in ten of them sampled, and after each flush looks for every
// exemplar of the profile among the exported spans.
func TestEveryExemplarResolves(t *testing.T) {
	src := &profile{sites: map[core.Site]*core.Stats{}}
	exported := map[core.SpanID]bool{}
	exp := &fakeExporter{export: func(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
		for _, s := range spans {
			id := core.SpanID(s.SpanContext().SpanID())
			if exported[id] {
				t.Errorf("span %v was exported twice", id)
			}
			exported[id] = true
		}
		return nil
	}}
	p := NewSpanProcessor(exp, WithExemplars(src), WithQueueSize(4096))
	random := rand.New(rand.NewPCG(1, 2))
	kept := 0
	for i := range uint64(3000) {
		change := []func(*tracetest.SpanStub){
			lasting(time.Duration(1 + random.IntN(1_000_000))),
			func(s *tracetest.SpanStub) {
				s.InstrumentationScope = instrumentation.Scope{Name: fmt.Sprint("scope", random.IntN(3))}
			},
		}
		if random.IntN(10) > 0 {
			change = append(change, unsampled)
		}
		if random.IntN(5) == 0 {
			change = append(change, failed)
		}
		s := stubWithID(i+1, fmt.Sprint("name", random.IntN(3)), change...)
		src.OnEnd(s)
		p.OnEnd(s)
		if random.IntN(50) > 0 {
			continue
		}
		require.NoError(t, p.ForceFlush(t.Context()))
		for _, b := range src.Snapshot().Blocks {
			for _, e := range []core.Exemplar{b.Stats.Slowest, b.Stats.LastError} {
				require.True(t, e.IsZero() || exported[e.Span], "span %d: %v", binary.BigEndian.Uint64(e.Span[:]), b.Site)
			}
		}
		kept = int(p.Stats().Kept)
	}
	require.NoError(t, p.Shutdown(t.Context()))
	require.Positive(t, kept)
	require.Less(t, kept, 1000, "only exemplars are kept")
	requireBalance(t, p.Stats())
}

func TestExemplarsAreExportedOnceAndInOrder(t *testing.T) {
	src := &profile{sites: map[core.Site]*core.Stats{}}
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp, WithExemplars(src))
	for _, s := range []sdktrace.ReadOnlySpan{
		stubWithID(1, "slowest of b", unsampled, lasting(3)),
		stubWithID(2, "both of a", unsampled, failed, lasting(2)),
		stubWithID(3, "sampled", lasting(1)),
	} {
		src.OnEnd(s)
		p.OnEnd(s)
	}
	p.OnEnd(stubWithID(4, "unknown to the profile", unsampled))
	for range 2 {
		require.NoError(t, p.ForceFlush(t.Context()))
		require.Equal(t, []string{"sampled", "both of a", "slowest of b"}, exp.names())
	}
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestHeldSpansAreBounded(t *testing.T) {
	h := newHeldSpans(&profile{})
	for i := range 3 * maxHeld {
		h.hold(stubWithID(uint64(i), fmt.Sprint("GET /", i), unsampled))
	}
	require.Len(t, h.spans, maxHeld)
	h.hold(stubWithID(9, "GET /0", unsampled, lasting(time.Hour)))
	require.Equal(t, int64(time.Hour), h.spans[heldKey{name: "GET /0"}].longest, "what is held is still updated")
	h.exemplars()
	require.Empty(t, h.spans)
}

type sourceFunc func() *core.Snapshot

func (f sourceFunc) Snapshot() *core.Snapshot { return f() }

func TestSourceFaults(t *testing.T) {
	for name, src := range map[string]sourceFunc{
		"nil snapshot": func() *core.Snapshot { return nil },
		"panic":        func() *core.Snapshot { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			exp := &fakeExporter{}
			p := NewSpanProcessor(exp, WithExemplars(src))
			p.OnEnd(stub("held", unsampled))
			p.OnEnd(stub("sampled"))
			require.NoError(t, p.Shutdown(t.Context()))
			require.Equal(t, []string{"sampled"}, exp.names())
			require.Equal(t, name == "panic", p.Stats().Panics == 1)
		})
	}
}

// TestExemplarsThatComeTooLate lets the source answer after Shutdown gave up: its exemplars are lost then.
func TestExemplarsThatComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &profile{sites: map[core.Site]*core.Stats{}}
		s := stub("slow", unsampled)
		src.OnEnd(s)
		slow := sourceFunc(func() *core.Snapshot {
			time.Sleep(time.Minute)
			return src.Snapshot()
		})
		exp := &fakeExporter{export: func(ctx context.Context, _ []sdktrace.ReadOnlySpan) error { return ctx.Err() }}
		p := NewSpanProcessor(exp, WithExemplars(slow), silent())
		p.OnEnd(s)
		start := time.Now()
		require.Error(t, p.Shutdown(t.Context()))
		require.Equal(t, 30*time.Second, time.Since(start))
		<-p.ended
		require.Equal(t, SpanStats{Received: 1, Kept: 1, Lost: SpanLoss{ShutDown: 1}, Capacity: 2048}, p.Stats())
	})
}

func TestExemplarsConcurrentSafe(t *testing.T) {
	src := &profile{sites: map[core.Site]*core.Stats{}}
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp, WithExemplars(src))
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			for i := range uint64(200) {
				s := stubWithID(g*1000+i+1, fmt.Sprint(i%10), unsampled, lasting(time.Duration(i*7%50)))
				src.OnEnd(s)
				p.OnEnd(s)
				if i%50 == 0 {
					_ = p.ForceFlush(context.Background())
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, p.Shutdown(t.Context()))
	s := p.Stats()
	requireBalance(t, s)
	require.Equal(t, s.Received, s.Kept)
	require.GreaterOrEqual(t, s.Kept, uint64(10))
}
