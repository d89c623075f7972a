package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/report"
)

// prometheusServer is a running Prometheus.
type prometheusServer struct{ url string }

// startPrometheus starts a Prometheus that scrapes the targets (host:port, by job) every second.
func startPrometheus(t *testing.T, targets map[string]string) *prometheusServer {
	t.Helper()
	config := "global: {scrape_interval: 1s}\nscrape_configs:\n"
	for job, target := range targets {
		config += fmt.Sprintf("- {job_name: %s, metrics_path: /, static_configs: [{targets: ['%s']}]}\n", job, target)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	return runPrometheus(t, file)
}

// runPrometheus starts Debian's Prometheus with a configuration. It skips the test if there is none, and fails it where
// OTELPROF_TEST_REQUIRE_PROMETHEUS=1 says that setup has installed it.
func runPrometheus(t *testing.T, config string) *prometheusServer {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		skipOrFail(t, "OTELPROF_TEST_REQUIRE_PROMETHEUS", "prometheus is not installed: run make setup")
	}
	address := freeAddress(t)
	p := &prometheusServer{url: "http://" + address}
	start(t, binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(t.TempDir(), "data"),
		"--web.listen-address="+address, "--enable-feature=native-histograms,exemplar-storage").awaitReady(t, answers(p.url+"/-/ready"))
	return p
}

// answer returns the value of a query that has one, as soon as there is one.
func (p *prometheusServer) answer(t *testing.T, query string) float64 {
	t.Helper()
	var found []series
	eventually(t, query+" has a value", func(ctx context.Context) bool {
		var err error
		found, err = p.query(ctx, query)
		require.LessOrEqual(t, len(found), 1, "%s has several values", query)
		return err == nil && len(found) == 1
	})
	value, err := strconv.ParseFloat(found[0].value, 64)
	require.NoError(t, err)
	return value
}

// series is one of the results of a query. A histogram has no value.
type series struct {
	labels map[string]string
	value  string
}

// query returns the results of an instant query.
func (p *prometheusServer) query(ctx context.Context, query string) ([]series, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var result struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(body, &result); err != nil || result.Error != "" {
		return nil, fmt.Errorf("answer %q: %w", body, err)
	}
	var found []series
	for _, r := range result.Data.Result {
		found = append(found, series{r.Metric, fmt.Sprint(r.Value[1])})
	}
	return found, nil
}

// TestPrometheusAnswersQuantiles lets a real Prometheus scrape the profile in all three forms and compares its quantiles
// with the exact ones.
func TestPrometheusAnswersQuantiles(t *testing.T) {
	shop := newTraffic(t)
	shop.send(3000)
	native := serveMetrics(t, exporter.NewProducer(shop))
	jaeger := serveMetrics(t, exporter.NewProducer(shop, exporter.WithFamilies(exporter.FamilyJaegerSPM), exporter.WithServiceName("shop")))
	text := serveReport(t, shop)
	prometheus := startPrometheus(t, map[string]string{"native": host(native), "jaeger": host(jaeger), "text": host(text)})
	slices.Sort(shop.durations)

	require.Equal(t, 3000.0, prometheus.answer(t, `otelprof_calls_total{job="native",span_name="query"}`))
	require.Equal(t, 3000.0, prometheus.answer(t, `histogram_count(otelprof_duration_nanoseconds{span_name="query"})`))
	for _, q := range []float64{0.5, 0.9, 0.99} {
		exact := shop.durations[int(math.Ceil(q*3000))-1]
		// A bucket is 1.09 % wide; between the ranks of the two rules lies at most one observation.
		got := prometheus.answer(t, fmt.Sprintf(`histogram_quantile(%v, otelprof_duration_nanoseconds{span_name="query"})`, q))
		require.InEpsilon(t, exact, got, 0.0219, "native, q=%v", q)

		// Jaeger's own query, but for the rate.
		got = prometheus.answer(t, fmt.Sprintf(`histogram_quantile(%v, sum(traces_span_metrics_duration_milliseconds_bucket{service_name=~"shop", span_kind=~"SPAN_KIND_CLIENT"}) by (service_name, le))`, q))
		lower, upper := around(exact/1e6, []float64{0, 2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400})
		require.True(t, lower <= got*1.011 && got <= upper*1.011, "jaeger, q=%v: %v ms is not in %v to %v", q, got, lower, upper)

		got = prometheus.answer(t, fmt.Sprintf(`histogram_quantile(%v, otelprof_duration_seconds_bucket{name="query"})`, q))
		lower, upper = around(exact/1e9, append([]float64{0}, report.DefaultBuckets()...))
		require.True(t, lower <= got*1.011 && got <= upper*1.011, "text, q=%v: %v s is not in %v to %v", q, got, lower, upper)
	}
	errors := float64(shop.Snapshot().Total().Errors)
	require.Equal(t, errors, prometheus.answer(t, `sum(traces_span_metrics_calls_total{status_code="STATUS_CODE_ERROR"})`))
}

// serveReport serves the text of package report.
func serveReport(t testing.TB, p interface{ Snapshot() *core.Snapshot }) string {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if err := report.Prometheus(w, p.Snapshot(), report.PrometheusOptions{}); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// around returns the bounds of the bucket that holds v.
func around(v float64, bounds []float64) (lower, upper float64) {
	i, _ := slices.BinarySearch(bounds, v)
	return bounds[i-1], bounds[i]
}

func host(url string) string { return strings.TrimPrefix(url, "http://") }
