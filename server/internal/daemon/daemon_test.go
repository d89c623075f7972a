package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testConfig listens everywhere on free ports of the loopback, with a store in memory.
func testConfig() Config {
	return Config{
		Store: StoreMemory, OTLPGRPC: "127.0.0.1:0", OTLPHTTP: "127.0.0.1:0", HTTP: "127.0.0.1:0", JaegerGRPC: "127.0.0.1:0", JaegerStorage: "127.0.0.1:0",
		Receiver: receiver.DefaultLimits(), Pipeline: pipeline.DefaultConfig(), SpanMetrics: metrics.Families(), Version: "test",
		Log: slog.New(slog.DiscardHandler),
	}
}

// startTest starts a server that is stopped at the end of the test.
func startTest(t *testing.T, c Config) *Daemon {
	t.Helper()
	d, err := Start(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Stop()) })
	return d
}

// url returns where something is served.
func (d *Daemon) url(t *testing.T, name string) string {
	t.Helper()
	for _, a := range d.Addresses() {
		if a.Name == name {
			return a.URL()
		}
	}
	t.Fatalf("no %s", name)
	return ""
}

// client makes requests without keeping connections, which would outlive the test.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
}

// ask makes a request and returns the status and the body.
func ask(t *testing.T, r *http.Request) (int, []byte) {
	t.Helper()
	response, err := client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, body
}

func request(t *testing.T, method, url string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	return r
}

// spans returns a request with one span of a service, which ended now.
func spans(t *testing.T, service, name string) []byte {
	t.Helper()
	now := uint64(time.Now().UnixNano())
	data, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{
			Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}},
		}}},
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "lib"}, Spans: []*tracepb.Span{{
			TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), Name: name,
			StartTimeUnixNano: now - 5_000_000, EndTimeUnixNano: now, Kind: tracepb.Span_SPAN_KIND_SERVER,
		}}}},
	}}})
	require.NoError(t, err)
	return data
}

// send sends spans by OTLP/HTTP and returns the status.
func (d *Daemon) send(t *testing.T, body []byte) int {
	t.Helper()
	r := request(t, http.MethodPost, d.url(t, "otlp_http")+"/v1/traces", body)
	r.Header.Set("Content-Type", "application/x-protobuf")
	status, _ := ask(t, r)
	return status
}

func TestMetricsTellOfSpansAndOfTheServer(t *testing.T) {
	d := startTest(t, testConfig())
	require.Equal(t, http.StatusOK, d.send(t, spans(t, "shop", "GET /")))
	status, text := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/metrics", nil))
	require.Equal(t, http.StatusOK, status)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, 1.0, families["otelprof_pipeline_received_spans_total"].Metric[0].Counter.GetValue())
	require.Len(t, families["otelprof_receiver_requests_total"].Metric, 9)
	require.Len(t, families["otelprof_listener_connections"].Metric, 5)
	require.Equal(t, 1.0, families["traces_span_metrics_calls_total"].Metric[0].Counter.GetValue())
	require.Equal(t, 1.0, families["traces_spanmetrics_calls_total"].Metric[0].Counter.GetValue())
	for _, name := range []string{"otelprof_store_spans", "otelprof_guard_refused_requests_total", "otelprof_http_responses_total"} {
		require.Contains(t, families, name)
	}
}

// sickStore cannot take anything.
type sickStore struct{ store.Store }

func (sickStore) Ready(context.Context) error { return errors.New("the disk is full") }

func TestReadinessIsThatOfTheStore(t *testing.T) {
	c := testConfig()
	c.Store, c.Data = StorePebble, t.TempDir()
	d := startTest(t, c)
	status, text := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/readyz", nil))
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"ready":true,"checks":[{"name":"store"}]}`, string(text))
	healthy := d.store
	d.store = sickStore{healthy}
	require.EqualError(t, d.ready(t.Context()), "the disk is full")
	d.store = healthy
	require.NoError(t, d.ready(t.Context()))
	status, text = ask(t, request(t, http.MethodGet, d.url(t, "http")+"/healthz", nil))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ok\n", string(text))
}

// freeAddress returns an address of the loopback that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func TestTellsWhereAJaegerIs(t *testing.T) {
	c := testConfig()
	c.JaegerUI = "https://jaeger.example/ui/"
	d := startTest(t, c)
	_, body := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/api/v1/status", nil))
	var status struct{ Endpoints map[string]string }
	require.NoError(t, json.Unmarshal(body, &status))
	require.Equal(t, "https://jaeger.example/ui", status.Endpoints["jaeger_ui"])
	for _, bad := range []string{"javascript:alert(1)", "jaeger:16686", "/jaeger", "http://", "http://[::1"} {
		c.JaegerUI = bad
		_, err := Start(t.Context(), c)
		require.ErrorContains(t, err, "Jaeger's page", bad)
	}
}

// A folder in which another store was before is not silent about what is in it.
func TestFolderOfAnotherStore(t *testing.T) {
	var log bytes.Buffer
	c := testConfig()
	c.Data, c.Log = t.TempDir(), slog.New(slog.NewTextHandler(&log, nil))
	made := storetest.NewGenerator(1).Segment(3)
	made.AddProfiles()
	local, err := pebblestore.Open(pebblestore.Options{Dir: c.Data, Logger: c.Log})
	require.NoError(t, err)
	_, err = local.CommitParcel(t.Context(), []byte("a parcel"), nil)
	require.NoError(t, err)
	require.NoError(t, local.Commit(t.Context(), &made.Segment))
	require.NoError(t, local.Close())

	c.Store = StorePebble
	d, err := Start(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, d.Stop())
	require.Contains(t, log.String(), "neither shown nor sent now")

	c.Store, c.ClickHouse.URL, c.ClickHouse.CloseTime = StoreClickHouse, "clickhouse://127.0.0.1:1/x?dial_timeout=50ms", -1
	d, err = Start(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, d.Stop())
	require.Contains(t, log.String(), "spans of --store pebble")
}
