package exporter

import (
	"context"
	"encoding/binary"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// fakeExporter is a SpanExporter that does what a test says and remembers what it was given.
type fakeExporter struct {
	// export and shutdown are called while a call is under way; nil does nothing.
	export   func(ctx context.Context, spans []sdktrace.ReadOnlySpan) error
	shutdown func(ctx context.Context) error

	mu        sync.Mutex
	busy      bool
	overlaps  int
	batches   [][]string
	delivered int // spans in calls that returned nil
	shutdowns int
}

func (f *fakeExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	names := []string{}
	for _, s := range spans {
		names = append(names, s.Name())
	}
	f.enter(func() { f.batches = append(f.batches, names) })
	delivered := 0
	defer func() { f.leave(delivered) }()
	if f.export != nil {
		if err := f.export(ctx, spans); err != nil {
			return err
		}
	}
	delivered = len(spans)
	return nil
}

func (f *fakeExporter) Shutdown(ctx context.Context) error {
	f.enter(func() { f.shutdowns++ })
	defer f.leave(0)
	if f.shutdown != nil {
		return f.shutdown(ctx)
	}
	return nil
}

func (f *fakeExporter) enter(note func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy {
		f.overlaps++
	}
	f.busy = true
	note()
}

func (f *fakeExporter) leave(delivered int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false
	f.delivered += delivered
}

// names returns the names of all spans in the order of their export.
func (f *fakeExporter) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := []string{}
	for _, b := range f.batches {
		names = append(names, b...)
	}
	return names
}

func (f *fakeExporter) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.batches)
}

// stub returns a span that has ended.
func stub(name string, change ...func(*tracetest.SpanStub)) sdktrace.ReadOnlySpan {
	return stubWithID(1, name, change...)
}

func stubWithID(id uint64, name string, change ...func(*tracetest.SpanStub)) sdktrace.ReadOnlySpan {
	var sid trace.SpanID
	binary.BigEndian.PutUint64(sid[:], id)
	start := time.Unix(1_700_000_000, 0)
	s := tracetest.SpanStub{
		Name:        name,
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: sid, TraceFlags: trace.FlagsSampled}),
		StartTime:   start,
		EndTime:     start.Add(time.Millisecond),
	}
	for _, c := range change {
		c(&s)
	}
	return s.Snapshot()
}

func unsampled(s *tracetest.SpanStub) { s.SpanContext = s.SpanContext.WithTraceFlags(0) }

// endSpans ends n sampled spans with the names from, from+1, ….
func endSpans(p *SpanProcessor, from, n int) (names []string) {
	for i := from; i < from+n; i++ {
		names = append(names, strconv.Itoa(i))
		p.OnEnd(stub(strconv.Itoa(i)))
	}
	return names
}

// requireBalance asserts that every span is accounted for.
func requireBalance(t testing.TB, s SpanStats) {
	t.Helper()
	require.Equal(t, s.Received, s.Exported+s.Lost.Total()+s.Queued+s.Exporting, "%+v", s)
	require.LessOrEqual(t, s.Late, s.Lost.TimedOut+s.Lost.ShutDown+s.Lost.Failed+s.Lost.Rejected+s.Lost.Panicked)
	require.LessOrEqual(t, s.Queued, s.Capacity)
}

// silent keeps expected losses out of the log.
func silent() SpanOption { return WithLossHandler(func(SpanLoss, error) {}) }
