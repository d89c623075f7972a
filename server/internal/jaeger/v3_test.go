package jaeger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
)

const whole = "query.startTimeMin=2026-03-01T12:00:00Z&query.startTimeMax=2026-03-01T12:10:00Z"

// otlp reads traces in OTLP's JSON.
func otlp(t *testing.T, text []byte) []*tracepb.Span {
	t.Helper()
	data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	require.NoError(t, err)
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	require.NoError(t, err)
	var all tracepb.TracesData
	require.NoError(t, proto.Unmarshal(b, &all))
	var spans []*tracepb.Span
	for _, rs := range all.ResourceSpans {
		require.Equal(t, "https://example.test/resource", rs.SchemaUrl)
		for _, ss := range rs.ScopeSpans {
			spans = append(spans, ss.Spans...)
		}
	}
	return spans
}

// requireSameSpans compares with the spans of a trace, whatever their order.
func requireSameSpans(t *testing.T, want []querytest.Span, got []*tracepb.Span) {
	t.Helper()
	require.Len(t, got, len(want))
	for _, w := range want {
		at := slices.IndexFunc(got, func(s *tracepb.Span) bool { return bytes.Equal(s.SpanId, w.ID[:]) })
		require.GreaterOrEqual(t, at, 0)
		require.True(t, proto.Equal(w.Proto(), got[at]), "%v\n%v", w.Proto(), got[at])
	}
}

func TestV3Names(t *testing.T) {
	h := newHandler()
	require.Equal(t, []string{querytest.Cart, querytest.Frontend, querytest.Payment}, get[struct{ Services []string }](t, h, "v3/services").Services)
	type operation struct{ Name, SpanKind string }
	for _, target := range []string{"v3/operations?service=frontend&spanKind=client", "v3/operations?service=frontend&span_kind=client"} {
		require.Equal(t, []operation{{"POST", "client"}}, get[struct{ Operations []operation }](t, h, target).Operations)
	}
	type dependency struct{ Parent, Child, CallCount string }
	require.Equal(t, []dependency{{querytest.Frontend, querytest.Cart, "40"}, {querytest.Frontend, querytest.Payment, "13"}},
		get[struct{ Dependencies []dependency }](t, h, "v3/dependencies?startTime=2026-03-01T12:00:00Z&endTime=2026-03-01T12:01:00Z").Dependencies)
	type capabilities struct {
		Search struct{ WithoutServiceName, SameSpanConjunction, Paginated bool }
	}
	got := get[capabilities](t, h, "v3/capabilities")
	require.True(t, got.Search.WithoutServiceName && got.Search.SameSpanConjunction && !got.Search.Paginated)
}

func TestV3TraceAgainstTheSpans(t *testing.T) {
	h := newHandler()
	for _, spans := range querytest.Traces(querytest.Spans())[:20] {
		text := get[struct{ Result json.RawMessage }](t, h, "v3/traces/"+spans[0].Trace.String()).Result
		requireSameSpans(t, spans, otlp(t, text))
	}
	id := querytest.TraceID(querytest.Duplicated).String()
	for _, name := range []string{"rawTraces", "raw_traces"} {
		require.Len(t, otlp(t, get[struct{ Result json.RawMessage }](t, h, "v3/traces/"+id+"?"+name+"=true").Result), 6)
	}
}

func TestV3SearchAgainstTheSpans(t *testing.T) {
	h := newHandler()
	for _, c := range searches {
		for _, snake := range []bool{false, true} {
			name := func(camel, other string) string { return "query." + map[bool]string{false: camel, true: other}[snake] }
			q := url.Values{
				name("serviceName", "service_name"):     {c.service},
				name("operationName", "operation_name"): {c.operation},
				name("startTimeMin", "start_time_min"):  {querytest.Epoch.Format(time.RFC3339Nano)},
				name("startTimeMax", "start_time_max"):  {now.Format(time.RFC3339Nano)},
				name("searchDepth", "num_traces"):       {fmt.Sprint(c.limit)},
			}
			if c.minDuration > 0 {
				q.Set(name("durationMin", "duration_min"), c.minDuration.String())
			}
			if c.maxDuration > 0 {
				q.Set(name("durationMax", "duration_max"), c.maxDuration.String())
			}
			if c.tags != nil {
				text, err := json.Marshal(c.tags)
				require.NoError(t, err)
				q.Set("query.attributes", string(text))
			}
			want := matching(c.want)
			var ids, summaries []string
			for _, s := range otlp(t, get[struct{ Result json.RawMessage }](t, h, "v3/traces?"+q.Encode()).Result) {
				if id := fmt.Sprintf("%x", s.TraceId); !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
			require.Equal(t, want, ids, q)
			for _, s := range get[v3Summaries](t, h, "v3/trace-summaries?"+q.Encode()).Summaries {
				summaries = append(summaries, s.TraceID)
			}
			require.Equal(t, want, summaries, q)
		}
	}
}

type v3Summaries struct {
	Summaries []struct {
		TraceID, RootServiceName, RootOperationName string
		MinStartTimeUnixNano, MaxEndTimeUnixNano    string
		SpanCount, ErrorSpanCount, OrphanSpanCount  int
		Services                                    []struct {
			Name                      string
			SpanCount, ErrorSpanCount int
		}
	}
}

func TestV3Summaries(t *testing.T) {
	h := newHandler()
	all := get[v3Summaries](t, h, "v3/trace-summaries?query.searchDepth=1000&"+whole).Summaries
	require.Len(t, all, 200)
	slices.Reverse(all)
	for i, spans := range querytest.Traces(querytest.Spans()) {
		s := all[i]
		require.Equal(t, spans[0].Trace.String(), s.TraceID)
		require.Equal(t, []string{querytest.Frontend, "GET /checkout"}, []string{s.RootServiceName, s.RootOperationName})
		require.Equal(t, fmt.Sprint(querytest.Epoch.Add(spans[0].Start).UnixNano()), s.MinStartTimeUnixNano)
		require.Equal(t, fmt.Sprint(querytest.Epoch.Add(spans[0].End).UnixNano()), s.MaxEndTimeUnixNano)
		require.Equal(t, len(spans), s.SpanCount)
		errors, inServices := 0, 0
		for _, x := range spans {
			if x.Failed {
				errors++
			}
		}
		for _, x := range s.Services {
			inServices += x.SpanCount
		}
		require.Equal(t, errors, s.ErrorSpanCount)
		require.Equal(t, len(spans), inServices)
		require.Equal(t, i == 6, s.OrphanSpanCount == 1)
	}
	require.Equal(t, "{\"summaries\":[]}\n", ask(h, "GET", "v3/trace-summaries?query.startTimeMin=2020-03-01T12:00:00Z&query.startTimeMax=2020-03-01T12:00:03Z").Body.String())
}
