package otelprof_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

// Remote parents, new roots, links and contexts of nothing make roots.
func TestRoots(t *testing.T) {
	for _, fast := range []bool{true, false} {
		checkRoots(t, otelprof.WithFastAccess(fast))
	}
}

func checkRoots(t *testing.T, option otelprof.Option) {
	t.Helper()
	p, tracer := profiled(t, option)
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true})
	ctx, outer := tracer.Start(context.Background(), "outer")
	end := func(name string, ctx context.Context, options ...trace.SpanStartOption) {
		_, s := tracer.Start(ctx, name, options...)
		s.End()
	}
	end("remote", trace.ContextWithRemoteSpanContext(ctx, remote))
	end("new root", ctx, trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)))
	end("no context", nil) //nolint:staticcheck // what users do
	end("local", ctx)
	outer.End()
	s := check(t, p.Snapshot())
	for _, root := range []string{"outer", "remote", "new root", "no context"} {
		require.NotNil(t, nodeAt(s, root), root)
	}
	require.NotNil(t, nodeAt(s, "outer", "local"))
	require.Zero(t, s.Counters.Detached)
}

// Several spans of one remote parent, as of one client that calls twice, are roots of one trace.
func TestTwoRootsOfOneTrace(t *testing.T) {
	p, tracer := profiled(t)
	remote := trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true,
	}))
	ctx, one := tracer.Start(remote, "one")
	_, two := tracer.Start(remote, "two")
	one.End()
	_, late := tracer.Start(ctx, "late")
	late.End()
	require.EqualValues(t, 2, check(t, p.Snapshot()).Counters.Spans)
	two.End()
	s := check(t, p.Snapshot())
	require.EqualValues(t, 1, nodeAt(s, "one", "late").Stats.Count)
	require.EqualValues(t, 1, nodeAt(s, "two").Stats.Count)
	require.Equal(t, nodeAt(s, "one").Stats.Total, nodeAt(s, "one").Stats.Self, "late began after one had ended")
}
