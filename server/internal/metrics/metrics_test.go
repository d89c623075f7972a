package metrics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape reads the metrics as Prometheus would.
func scrape(t *testing.T, s *metrics.Set) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	require.NoError(t, err)
	return families
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func TestPartsReport(t *testing.T) {
	s := metrics.New("v1\xff", nil)
	n := 0.0
	values := func() []metrics.Value {
		n++
		return []metrics.Value{{Name: "requests", Help: "Requests.", Counter: true, Value: n}, {Name: "queue_bytes", Help: "Queued.", Value: 7}}
	}
	require.NoError(t, s.Report("receiver", values))
	require.ErrorContains(t, s.Report("receiver", values), "report the metrics of receiver")
	families := scrape(t, s)
	require.Equal(t, dto.MetricType_COUNTER, families["otelprof_receiver_requests_total"].GetType())
	first := families["otelprof_receiver_requests_total"].Metric[0].Counter.GetValue()
	require.Equal(t, 7.0, families["otelprof_receiver_queue_bytes"].Metric[0].Gauge.GetValue())
	require.Equal(t, "v1\uFFFD", label(families["otelprof_build_info"].Metric[0], "version"))
	require.Contains(t, families, "go_goroutines")
	require.Greater(t, scrape(t, s)["otelprof_receiver_requests_total"].Metric[0].Counter.GetValue(), first)
}

func profile(t *testing.T) *core.Snapshot {
	p, err := querytest.New(querytest.Spans()).Profile(t.Context(), store.Range{})
	require.NoError(t, err)
	return p
}

// TestSpanMetricsAgainstTheSpans counts the spans of every series, and of every bucket.
func TestSpanMetricsAgainstTheSpans(t *testing.T) {
	s := metrics.New("", nil)
	p := profile(t)
	require.NoError(t, s.Spans([]string{metrics.Tempo, metrics.Spanmetrics, metrics.Tempo}, func(context.Context) (*core.Snapshot, error) { return p, nil }))
	families := scrape(t, s)
	for _, f := range []struct {
		calls, duration, service string
		unit                     time.Duration
	}{
		{"traces_span_metrics_calls_total", "traces_span_metrics_duration_milliseconds", "service_name", time.Millisecond},
		{"traces_spanmetrics_calls_total", "traces_spanmetrics_latency", "service", time.Second},
	} {
		of := func(m *dto.Metric) (spans []querytest.Span) {
			for _, s := range querytest.Spans() {
				if s.Site.Service == label(m, f.service) && s.Site.Name == label(m, "span_name") {
					spans = append(spans, s)
				}
			}
			return spans
		}
		require.Len(t, families[f.calls].Metric, 8, "six operations, two of which have errors")
		for _, m := range families[f.calls].Metric {
			want := 0.0
			for _, s := range of(m) {
				if s.Failed == (label(m, "status_code") == "STATUS_CODE_ERROR") {
					want++
				}
			}
			require.Equal(t, want, m.Counter.GetValue())
			require.Regexp(t, "^SPAN_KIND_(SERVER|CLIENT|INTERNAL)$", label(m, "span_kind"))
		}
		require.Len(t, families[f.duration].Metric, 6)
		for _, m := range families[f.duration].Metric {
			spans := of(m)
			require.EqualValues(t, len(spans), m.Histogram.GetSampleCount())
			for _, b := range m.Histogram.Bucket {
				least, most := 0, 0 // a bound within a bucket of ours may miss that bucket
				for _, s := range spans {
					if d := float64(s.Duration()) / float64(f.unit); d <= b.GetUpperBound() {
						most++
						if d <= b.GetUpperBound()*0.989 {
							least++
						}
					}
				}
				require.GreaterOrEqual(t, b.GetCumulativeCount(), uint64(least))
				require.LessOrEqual(t, b.GetCumulativeCount(), uint64(most))
			}
		}
	}
	require.Len(t, families["traces_target_info"].Metric, 3)
	total := map[string]float64{}
	for _, m := range families["traces_service_graph_request_total"].Metric {
		total[label(m, "client")+" "+label(m, "server")] = m.Counter.GetValue()
	}
	require.Equal(t, map[string]float64{"frontend cart": 200, "frontend " + querytest.Payment: 66}, total)
	failed := families["traces_service_graph_request_failed_total"].Metric
	require.Equal(t, 20.0, failed[0].Counter.GetValue())
	require.EqualValues(t, 66, families["traces_service_graph_request_server_seconds"].Metric[1].Histogram.GetSampleCount())
	require.EqualValues(t, 200, families["traces_service_graph_request_client_seconds"].Metric[1].Histogram.GetSampleCount(), "the checkouts above the charges")
}

func TestSpanMetricsThatFail(t *testing.T) {
	var log bytes.Buffer
	s := metrics.New("", slog.New(slog.NewTextHandler(&log, nil)))
	require.ErrorContains(t, s.Spans([]string{"beauty"}, nil), `unknown family of span metrics "beauty", want one of spanmetrics, tempo`)
	require.NoError(t, s.Spans(nil, nil))
	require.NoError(t, s.Spans([]string{metrics.Tempo}, func(context.Context) (*core.Snapshot, error) { return nil, errors.New("no disk") }))
	require.Contains(t, scrape(t, s), "otelprof_build_info", "the others are there")
	require.Contains(t, log.String(), "no disk")
}

func TestHealth(t *testing.T) {
	s := metrics.New("", nil)
	ask := func(h http.Handler) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w.Code, w.Body.String()
	}
	code, text := ask(s.Ready())
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"ready":true,"checks":[]}`, text)
	var broken error
	s.Check("store", func(ctx context.Context) error {
		_, bounded := ctx.Deadline()
		require.True(t, bounded)
		return broken
	})
	code, text = ask(s.Ready())
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"ready":true,"checks":[{"name":"store"}]}`, text)
	broken = errors.New("the disk is full")
	code, text = ask(s.Ready())
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.JSONEq(t, `{"ready":false,"checks":[{"name":"store","error":"the disk is full"}]}`, text)
	broken = nil
	s.Stopping()
	code, text = ask(s.Ready())
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.True(t, json.Valid([]byte(text)))
	code, text = ask(s.Live())
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ok\n", text)
}
