package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestWorkload checks what the report says about the workload.
func TestWorkload(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	s := newShop(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
	s.trade(3000)
	ended := recorder.Ended()
	require.Len(t, ended, s.spans)

	names, perTrace, parents := map[string]bool{}, map[trace.TraceID]int{}, map[trace.SpanID]trace.SpanID{}
	errors := 0
	for _, span := range ended {
		names[span.Name()] = true
		perTrace[span.SpanContext().TraceID()]++
		parents[span.SpanContext().SpanID()] = span.Parent().SpanID()
		require.GreaterOrEqual(t, len(span.Attributes()), 3)
		require.LessOrEqual(t, len(span.Attributes()), 5)
		if span.Status().Code == codes.Error {
			errors++
		}
	}
	require.Len(t, names, 22)
	require.Len(t, names, int(siteCount))
	for _, n := range perTrace {
		require.GreaterOrEqual(t, n, 10)
		require.LessOrEqual(t, n, 21)
	}
	require.InDelta(t, len(perTrace)/3/16, errors, 1)

	deepest := 0
	for id := range parents {
		depth := 0
		for ; id.IsValid(); id = parents[id] {
			depth++
		}
		deepest = max(deepest, depth)
	}
	require.Equal(t, 5, deepest)
}

func TestEveryTurnIsTheSame(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	s := newShop(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
	var turns [2][]string
	for i := range turns {
		recorder.Reset()
		s.trade(200)
		for _, span := range recorder.Ended() {
			turns[i] = append(turns[i], span.Name())
		}
	}
	require.Equal(t, turns[0], turns[1])
}
