package jaeger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
)

type metricFamily struct {
	Name, Type, Help string
	Metrics          []struct {
		Labels       []struct{ Name, Value string }
		MetricPoints []struct {
			GaugeValue struct{ DoubleValue any }
			Timestamp  time.Time
		}
	}
}

// TestMetricsAgainstTheSpans computes every point from the spans that ended in its minutes.
func TestMetricsAgainstTheSpans(t *testing.T) {
	h := newHandler()
	end := querytest.Epoch.Add(7 * time.Minute)
	for _, c := range []struct {
		target, name string
		kind         core.Kind
		value        func(spans []querytest.Span) any
	}{
		{"calls?", "call_rate", core.KindServer, func(spans []querytest.Span) any { return float64(len(spans)) / 120 }},
		{"errors?", "error_rate", core.KindServer, func(spans []querytest.Span) any {
			failed := 0.
			for _, s := range spans {
				if s.Failed {
					failed++
				}
			}
			if len(spans) == 0 {
				return "NaN"
			}
			return failed / float64(len(spans))
		}},
		{"latencies?quantile=0.5&spanKind=client&", "latencies", core.KindClient, func(spans []querytest.Span) any {
			if len(spans) == 0 {
				return "NaN"
			}
			slices.SortFunc(spans, func(a, b querytest.Span) int { return int(a.Duration() - b.Duration()) })
			return spans[(len(spans)+1)/2-1].Duration().Seconds() * 1000
		}},
	} {
		for _, byOperation := range []bool{false, true} {
			f := get[metricFamily](t, h, fmt.Sprintf("metrics/%sservice=cart&service=frontend&step=30000&ratePer=120000&lookback=420000&endTs=%d&groupByOperation=%v",
				c.target, end.UnixMilli(), byOperation))
			require.Equal(t, map[bool]string{false: "service_", true: "service_operation_"}[byOperation]+c.name, f.Name)
			require.Equal(t, "GAUGE", f.Type)
			require.Len(t, f.Metrics, 2)
			for _, m := range f.Metrics {
				require.Equal(t, "service_name", m.Labels[0].Name)
				require.Len(t, m.MetricPoints, 15)
				for _, p := range m.MetricPoints {
					var spans []querytest.Span
					minute := p.Timestamp.Unix() / 60
					for _, s := range querytest.Spans() {
						if s.Site.Service == m.Labels[0].Value && s.Site.Kind == c.kind && s.Minute() >= minute-2 && s.Minute() < minute {
							require.True(t, !byOperation || m.Labels[1].Value == s.Site.Name)
							spans = append(spans, s)
						}
					}
					if want, ok := c.value(spans).(float64); ok {
						require.InEpsilon(t, want+1e-9, p.GaugeValue.DoubleValue.(float64)+1e-9, 0.0056)
					} else {
						require.Equal(t, "NaN", p.GaugeValue.DoubleValue)
					}
				}
			}
		}
	}
	require.Empty(t, get[metricFamily](t, h, "metrics/calls?service=nobody").Metrics)
	require.EqualValues(t, 60000, get[envelope[int]](t, h, "metrics/minstep").Data)
}
