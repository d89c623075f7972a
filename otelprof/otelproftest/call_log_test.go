package otelproftest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

func newLog(t *testing.T) *callLog {
	p, err := otelprof.New()
	require.NoError(t, err)
	return newCallLog(p)
}

// ended returns a span in trace 1.
func ended(id, parent byte, name string) sdktrace.ReadOnlySpan {
	at := func(id byte) trace.SpanContext {
		if id == 0 {
			return trace.SpanContext{}
		}
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{id}})
	}
	return tracetest.SpanStub{
		Name: name, SpanContext: at(id), Parent: at(parent), EndTime: time.Unix(1, 0), StartTime: time.Unix(1, 0),
		InstrumentationScope: instrumentation.Scope{Name: "t"},
	}.Snapshot()
}

// TestCallLogAgreesWithDefinition compares with counting by going up from every call, on random traces that need not be
// trees.
func TestCallLogAgreesWithDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		l := newLog(t)
		const size = 12
		parents, names := [size + 1]byte{}, [size + 1]string{}
		for _, id := range random.Perm(size) {
			id := byte(id + 1)
			parents[id] = byte(random.IntN(size + 3)) // 0: none; more than size: not ended
			names[id] = []string{"a", "b", "c"}[random.IntN(3)]
			l.OnEnd(ended(id, parents[id], names[id]))
		}
		limit := random.IntN(3)
		direct, below := map[byte]int{}, map[byte]int{}
		for id := byte(1); id <= size; id++ {
			if names[id] != "a" {
				continue
			}
			if parents[id] != 0 {
				direct[parents[id]]++
			}
			for up, steps := parents[id], 0; up != 0 && up <= size && steps < size; up, steps = parents[up], steps+1 {
				if names[up] == "b" {
					below[up]++
				}
			}
		}
		a, b := Site{track: "t", name: "a"}, Site{track: "*", name: "b"}
		for _, c := range []struct {
			want map[byte]int
			got  func() (crowd, int)
		}{
			{direct, func() (crowd, int) { return l.perParent(a, limit) }},
			{below, func() (crowd, int) { return l.perCallOf(a, b, limit) }},
		} {
			most, over := 0, 0
			for _, n := range c.want {
				most = max(most, n)
				if n > limit {
					over++
				}
			}
			got, _ := c.got()
			require.Equal(t, [3]int{most, over, len(c.want)}, [3]int{got.most, got.over, got.all})
		}
	}
}

func TestCallLogCountsASpanOnce(t *testing.T) {
	l := newLog(t)
	l.OnEnd(ended(2, 1, "a"))
	l.OnEnd(ended(2, 1, "a"))
	l.OnEnd(ended(1, 0, "b"))
	c, _ := l.perParent(Site{track: "t", name: "a"}, 5)
	require.Equal(t, crowd{most: 1, within: siteName{"t", "b"}, known: true, all: 1}, c)
}

func TestCallLogIsBounded(t *testing.T) {
	l := newLog(t)
	l.calls = make([]call, maxCalls)
	l.names = []siteName{{"t", "x"}}
	l.OnEnd(ended(1, 0, "a"))
	require.Len(t, l.calls, maxCalls)
	require.Equal(t, 1, l.lost)

	var failed []string
	tb := &failures{TB: t, failed: &failed}
	r := &Recorder{tb: tb, log: l, profiler: l.profiler}
	r.tooMany(l.lost)
	require.Equal(t, []string{"otelproftest: single calls cannot be checked: 1 spans ended after the first 1048576; call Recorder.Reset between the phases of the test"}, failed)
}

// failures collects what Errorf is told.
type failures struct {
	testing.TB
	failed *[]string
}

func (f *failures) Helper() {}
func (f *failures) Errorf(format string, args ...any) {
	*f.failed = append(*f.failed, fmt.Sprintf(format, args...))
}

// TestSingleCallsCannotBeCheckedForEver: a log that is full must not prove anything.
func TestSingleCallsCannotBeCheckedForEver(t *testing.T) {
	var failed []string
	rec := Start(t)
	rec.tb = &failures{TB: t, failed: &failed}
	ctx, parent := rec.TracerProvider().Tracer("t").Start(t.Context(), "b")
	_, span := rec.TracerProvider().Tracer("t").Start(ctx, "a")
	span.End()
	parent.End()
	rec.Site("t", "a").AtMostPerParent(1).AtMostPerCallOf(rec.Site("t", "b"), 1)
	require.Empty(t, failed)
	rec.log.lost = 3
	rec.Site("t", "a").AtMostPerParent(1).AtMostPerCallOf(rec.Site("t", "b"), 1)
	require.Len(t, failed, 2)
	require.Contains(t, failed[0], "3 spans ended after the first")
}

func TestCallLogKeepsTheLastFailure(t *testing.T) {
	l := newLog(t)
	fail := func(name, description string) {
		stub := tracetest.SpanStubFromReadOnlySpan(ended(1, 0, name))
		stub.Status = sdktrace.Status{Code: codes.Error, Description: description}
		l.OnEnd(stub.Snapshot())
	}
	fail("a", "first")
	fail("b", "second")
	fail("a", "third")
	fail("b", "fourth")
	require.Equal(t, "third", l.lastFailure(Site{track: "t", name: "a"}))
	require.Equal(t, "fourth", l.lastFailure(Site{track: "*", name: "*"}))
	require.Empty(t, l.lastFailure(Site{track: "t", name: "c"}))
}

func TestCallLogIsAProcessor(t *testing.T) {
	l := newLog(t)
	require.NoError(t, l.ForceFlush(t.Context()))
	require.NoError(t, l.Shutdown(t.Context()))
}
