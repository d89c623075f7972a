package demo

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// taker is a client that keeps what it is given.
type taker struct {
	requests []*tracepb.ResourceSpans
	fail     error
}

func (*taker) Start(context.Context) error { return nil }
func (*taker) Stop(context.Context) error  { return nil }
func (c *taker) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	if c.fail != nil {
		return c.fail
	}
	for _, s := range spans {
		c.requests = append(c.requests, proto.Clone(s).(*tracepb.ResourceSpans))
	}
	return nil
}

var start = time.Unix(1_700_000_000, 0)

func send(t *testing.T, seed uint64, spans int) (*taker, Summary) {
	g, client := New(seed), &taker{}
	reported := 0
	require.NoError(t, Send(t.Context(), g, client, Plan{Spans: spans, Batch: 100, Start: start}, func(n int) { reported = n }))
	summary := g.Truth().Summary()
	require.EqualValues(t, reported, summary.Spans)
	return client, summary
}

func TestTheSameSeedMakesTheSame(t *testing.T) {
	a, sumA := send(t, 7, 3000)
	b, sumB := send(t, 7, 3000)
	require.Equal(t, sumA, sumB)
	require.Len(t, b.requests, len(a.requests))
	for i := range a.requests {
		require.True(t, proto.Equal(a.requests[i], b.requests[i]))
	}
	_, other := send(t, 8, 3000)
	require.NotEqual(t, sumA, other)
}

func TestTruthIsThatOfTheSpansSent(t *testing.T) {
	client, summary := send(t, 1, 5000)
	got := map[[3]string][5]uint64{}
	ids, parents := map[string]bool{}, []string{}
	for _, r := range client.requests {
		service := r.Resource.Attributes[0].Value.GetStringValue()
		for _, scope := range r.ScopeSpans {
			for _, s := range scope.Spans {
				k := [3]string{service, scope.Scope.Name, s.Name + " " + kindNames[s.Kind]}
				d := s.EndTimeUnixNano - s.StartTimeUnixNano
				n, known := got[k]
				if !known {
					n[3] = d
				}
				got[k] = [5]uint64{n[0] + 1, n[1] + uint64(s.Status.GetCode())/2, n[2] + d, min(n[3], d), max(n[4], d)}
				require.False(t, ids[string(s.TraceId)+string(s.SpanId)], "a span id twice")
				ids[string(s.TraceId)+string(s.SpanId)] = true
				if len(s.ParentSpanId) > 0 {
					parents = append(parents, string(s.TraceId)+string(s.ParentSpanId))
				}
			}
		}
	}
	for _, p := range parents {
		require.True(t, ids[p], "a parent is missing")
	}
	require.Len(t, summary.Operations, len(got))
	require.EqualValues(t, len(ids), summary.Spans)
	for _, o := range summary.Operations {
		require.Equal(t, got[[3]string{o.Service, o.Track, o.Name + " " + o.Kind}], [5]uint64{o.Count, o.Errors, o.Total, o.Min, o.Max})
		require.LessOrEqual(t, o.Self, o.Total)
		require.True(t, o.Min <= o.P50 && o.P50 <= o.P90 && o.P90 <= o.P95 && o.P95 <= o.P99 && o.P99 <= o.Max)
	}
}

func TestSelfTimeOfConcurrentChildren(t *testing.T) {
	op := &operation{}
	spans := []made{
		{op: op, parent: -1, start: 0, end: 100},
		{op: op, parent: 0, start: 10, end: 40},
		{op: op, parent: 0, start: 30, end: 60},
		{op: op, parent: 0, start: 90, end: 150},
		{op: op, parent: 1, start: 0, end: 100},
	}
	require.EqualValues(t, 60, covered(spans, 0))
	require.EqualValues(t, 30, covered(spans, 1))
	require.Zero(t, covered(spans, 4))
}

func TestSendSaysWhatFailed(t *testing.T) {
	client := &taker{fail: errors.New("no route")}
	err := Send(t.Context(), New(1), client, Plan{Spans: 10, Batch: 1, Start: start}, func(int) {})
	require.ErrorIs(t, err, client.fail)
	require.ErrorContains(t, err, "spans of ")
}

func TestSendEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g, client := New(1), &taker{}
	err := Send(ctx, g, client, Plan{Rate: 1e6, Batch: 10, Start: start}, func(sent int) {
		if sent > 100 {
			cancel()
		}
	})
	require.NoError(t, err)
	sent := 0
	for _, r := range client.requests {
		for _, s := range r.ScopeSpans {
			sent += len(s.Spans)
		}
	}
	require.EqualValues(t, g.Truth().Summary().Spans, sent)
}
