package exporter

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// spanClient is an otlptrace.Client that keeps what it should upload.
type spanClient struct {
	started, stopped bool
	spans            map[string]*tracepb.Span
}

func (c *spanClient) Start(context.Context) error { c.started = true; return nil }
func (c *spanClient) Stop(context.Context) error  { c.stopped = true; return nil }

func (c *spanClient) UploadTraces(_ context.Context, protoSpans []*tracepb.ResourceSpans) error {
	if !c.started || c.stopped {
		return errors.New("not running")
	}
	for _, rs := range protoSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.spans[s.Name] = s
			}
		}
	}
	return nil
}

// TestThroughOTLP proves what the package documentation says about any otlptrace.Client, about unsampled spans in
// OTLP, and about their missing parents.
func TestThroughOTLP(t *testing.T) {
	client := &spanClient{spans: map[string]*tracepb.Span{}}
	exp := otlptrace.NewUnstarted(client)
	require.NoError(t, exp.Start(t.Context()))
	p := NewSpanProcessor(exp, WithKeep(func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "kept" }))
	for _, sampler := range []sdktrace.Sampler{sdktrace.AlwaysSample(), sdktrace.NeverSample()} {
		tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p), sdktrace.WithSampler(sdktrace.AlwaysRecord(sampler)))
		ctx, parent := tp.Tracer("test").Start(t.Context(), "parent "+sampler.Description())
		name := "sampled"
		if !parent.SpanContext().IsSampled() {
			name = "kept"
		}
		_, child := tp.Tracer("test").Start(ctx, name)
		child.End()
		parent.End()
	}
	require.NoError(t, p.Shutdown(t.Context()))
	require.Len(t, client.spans, 3)
	require.EqualValues(t, 1, client.spans["sampled"].Flags&0xff)
	require.EqualValues(t, 0, client.spans["kept"].Flags&0xff, "the sampled flag stays as it was")
	require.NotEmpty(t, client.spans["kept"].ParentSpanId)
	require.NotContains(t, client.spans, "parent AlwaysOffSampler")
	require.True(t, client.stopped)
}
