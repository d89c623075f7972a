package integration

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// monitored are the numbers of Jaeger's Monitor tab for one operation.
type monitored struct {
	operation string
	values    []float64
}

// monitor returns what one of the charts of the tab shows for a service.
func (j *jaegerServer) monitor(t *testing.T, chart, service string, more url.Values) []monitored {
	t.Helper()
	query := url.Values{
		"service": {service}, "groupByOperation": {"true"}, "spanKind": {"server"},
		"endTs":    {strconv.FormatInt(time.Now().UnixMilli(), 10)},
		"lookback": {"10000"}, "step": {"1000"}, "ratePer": {"10000"}, // ms
	}
	for k, v := range more {
		query[k] = v
	}
	var answer struct {
		Metrics []struct {
			Labels       []struct{ Name, Value string }
			MetricPoints []struct {
				GaugeValue struct{ DoubleValue any }
			}
		}
	}
	require.NoError(t, json.Unmarshal(j.get(t, "/api/metrics/"+chart, query), &answer))
	var all []monitored
	for _, m := range answer.Metrics {
		one := monitored{}
		for _, l := range m.Labels {
			if l.Name == "operation" {
				one.operation = l.Value
			}
		}
		for _, p := range m.MetricPoints {
			if v, ok := p.GaugeValue.DoubleValue.(float64); ok { // "NaN" where there was no call
				one.values = append(one.values, v)
			}
		}
		all = append(all, one)
	}
	return all
}

// TestJaegerMonitorShowsTheProfile has Jaeger ask a Prometheus, which scrapes the webshop's metrics, for its Monitor tab.
func TestJaegerMonitorShowsTheProfile(t *testing.T) {
	prometheus := deployedPrometheus(t, startWebshop(t))
	jaeger := startJaeger(t, jaegerOptions{prometheus: prometheus.url})
	for chart, more := range map[string]url.Values{"calls": {}, "errors": {}, "latencies": {"quantile": {"0.95"}}} {
		t.Run(chart, func(t *testing.T) {
			// A supplier that is out of stock is the one error that a server of the shop answers with.
			const operation = "GET /{supplier}/offers/{product}"
			eventually(t, chart+" of "+operation, func(context.Context) bool {
				for _, m := range jaeger.monitor(t, chart, "webshop", more) {
					if m.operation == operation && len(m.values) > 0 && m.values[len(m.values)-1] > 0 {
						return true
					}
				}
				return false
			})
		})
	}
}
