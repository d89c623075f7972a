package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
)

// rawSpan is a span as Jaeger has it.
type rawSpan struct {
	*tracepb.Span
	scope string
}

func (s rawSpan) duration() uint64 { return s.EndTimeUnixNano - s.StartTimeUnixNano }

// spansByID returns the spans of all traces.
func spansByID(t *testing.T, resources []*tracepb.ResourceSpans) map[core.TraceID]map[core.SpanID]rawSpan {
	t.Helper()
	traces := map[core.TraceID]map[core.SpanID]rawSpan{}
	for _, r := range resources {
		for _, scope := range r.ScopeSpans {
			for _, s := range scope.Spans {
				trace, id := core.TraceID(s.TraceId), core.SpanID(s.SpanId)
				if traces[trace] == nil {
					traces[trace] = map[core.SpanID]rawSpan{}
				}
				require.NotContains(t, traces[trace], id)
				traces[trace][id] = rawSpan{s, scope.GetScope().GetName()}
			}
		}
	}
	return traces
}

// operation is what blocks and raw spans have in common.
type operation struct {
	scope, name string
	kind        core.Kind
}

// sums are what can be counted of an operation on both sides.
type sums struct{ count, errors, total uint64 }

// requireSameOperations fails the test unless the raw spans add up to the profile, and every parent is there.
func requireSameOperations(t *testing.T, profile *core.Snapshot, traces map[core.TraceID]map[core.SpanID]rawSpan) {
	t.Helper()
	want, got := map[operation]sums{}, map[operation]sums{}
	for _, b := range profile.Blocks {
		key := operation{b.Site.Track, b.Site.Name, b.Site.Kind}
		s := want[key]
		want[key] = sums{s.count + b.Stats.Count, s.errors + b.Stats.Errors, s.total + b.Stats.Total}
	}
	for _, spans := range traces {
		for _, span := range spans {
			if len(span.ParentSpanId) > 0 {
				require.Contains(t, spans, core.SpanID(span.ParentSpanId), "the parent of %q", span.Name)
			}
			key := operation{span.scope, span.Name, core.Kind(span.Kind)}
			s := got[key]
			s = sums{s.count + 1, s.errors, s.total + span.duration()}
			if span.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
				s.errors++
			}
			got[key] = s
		}
	}
	require.Equal(t, want, got)
}

// links returns the links of all spans, each once.
func links(traces map[core.TraceID]map[core.SpanID]rawSpan) map[core.TraceID][]core.SpanID {
	all := map[core.TraceID][]core.SpanID{}
	for _, spans := range traces {
		for _, span := range spans {
			for _, l := range span.Links {
				trace := core.TraceID(l.TraceId)
				all[trace] = append(all[trace], core.SpanID(l.SpanId))
			}
		}
	}
	return all
}

// requireLinksResolve looks up every link of the profile's spans as somebody who clicks it does.
func requireLinksResolve(t *testing.T, jaeger *jaegerServer, profile []*tracepb.ResourceSpans) {
	t.Helper()
	all := links(spansByID(t, profile))
	require.NotEmpty(t, all)
	for trace, spans := range all {
		found := spansByID(t, jaeger.trace(t, trace))
		for _, span := range spans {
			require.Contains(t, found[trace], span)
		}
	}
}

// requireExemplars fails the test unless the exemplars of all blocks are the spans that they claim to be.
func requireExemplars(t *testing.T, profile *core.Snapshot, traces map[core.TraceID]map[core.SpanID]rawSpan) {
	t.Helper()
	for _, b := range profile.Blocks {
		slowest := traces[b.Stats.Slowest.Trace][b.Stats.Slowest.Span]
		require.Equal(t, b.Site.Name, slowest.GetName())
		require.Equal(t, b.Stats.Max, slowest.duration())
		if b.Stats.Errors > 0 {
			failed := traces[b.Stats.LastError.Trace][b.Stats.LastError.Span]
			require.Equal(t, b.Site.Name, failed.GetName())
			require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, failed.Status.GetCode())
		}
	}
}

// TestJaegerHasRawSpansAndProfile sends a web shop's traffic, all of it sampled, and compares what Jaeger then knows with
// what the shop itself counted.
func TestJaegerHasRawSpansAndProfile(t *testing.T) {
	jaeger := startJaeger(t, jaegerOptions{})
	profile := webshop(t, "300", "--sample", "1", "--otlp", jaeger.otlp, "--tracks-interval", "1h")
	require.ElementsMatch(t, []string{"webshop", "webshop-profile"}, jaeger.services(t))
	require.Greater(t, profile.Counters.Spans, uint64(1000))
	require.NotNil(t, profile.Blocks[0].Stats.SelfHistogram)

	for _, raw := range []bool{true, false} {
		windows, err := exporter.ReadSpans(jaeger.traces(t, "webshop-profile", raw))
		require.NoError(t, err)
		require.Len(t, windows, 1)
		requireSameProfile(t, profile, windows[0])
	}
	spans := spansByID(t, jaeger.traces(t, "webshop", true))
	requireSameOperations(t, profile, spans)
	requireExemplars(t, profile, spans)
	requireLinksResolve(t, jaeger, jaeger.traces(t, "webshop-profile", true))
	requireNoWarnings(t, jaeger, jaeger.traces(t, "webshop-profile", true))
}

// requireNoWarnings fails the test if Jaeger has something to say about a span of the profile, as about clocks
// that differ or parents that are missing.
func requireNoWarnings(t *testing.T, jaeger *jaegerServer, profile []*tracepb.ResourceSpans) {
	t.Helper()
	for trace, spans := range spansByID(t, profile) {
		var answer struct {
			Data []struct {
				Spans []struct {
					OperationName string
					Warnings      []string
				}
			}
		}
		require.NoError(t, json.Unmarshal(jaeger.get(t, "/api/traces/"+trace.String(), nil), &answer))
		require.Len(t, answer.Data, 1)
		require.Len(t, answer.Data[0].Spans, len(spans))
		for _, s := range answer.Data[0].Spans {
			require.Empty(t, s.Warnings, s.OperationName)
		}
	}
}

// TestJaegerHasEveryWindow reports a sampled shop's profile many times, and finds the whole in the sum.
func TestJaegerHasEveryWindow(t *testing.T) {
	jaeger := startJaeger(t, jaegerOptions{})
	profile := webshop(t, "500", "--sample", "0.2", "--otlp", jaeger.otlp, "--tracks-interval", "50ms")
	spans := jaeger.traces(t, "webshop-profile", true)
	windows, err := exporter.ReadSpans(spans)
	require.NoError(t, err)
	require.Greater(t, len(windows), 1)
	for i := range windows[1:] {
		require.False(t, windows[i+1].Start.Before(windows[i].End), "window %d", i+1)
	}
	requireSameTotals(t, profile, core.Merge(windows...))
	requireLinksResolve(t, jaeger, spans)
}

// TestExampleInJaeger runs the shortest program that shows both in Jaeger.
func TestExampleInJaeger(t *testing.T) {
	jaeger := startJaeger(t, jaegerOptions{})
	cmd := exec.CommandContext(t.Context(), build(t, "jaeger"))
	cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+jaeger.otlp)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.ElementsMatch(t, []string{"shop", "shop-profile"}, jaeger.services(t))
	windows, err := exporter.ReadSpans(jaeger.traces(t, "shop-profile", true))
	require.NoError(t, err)
	require.Len(t, windows, 1)
	requireSameOperations(t, windows[0], spansByID(t, jaeger.traces(t, "shop", true)))
}
