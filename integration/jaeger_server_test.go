package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
)

// jaegerServer is a running Jaeger that keeps traces in memory.
type jaegerServer struct {
	// otlp is where it takes spans over HTTP, query where it answers.
	otlp, query string
}

// jaegerOptions say what Jaeger has besides traces.
type jaegerOptions struct {
	// prometheus is the URL of the Prometheus that the Monitor tab asks, if there is one.
	prometheus string
	// assets is the folder with the files of the user interface, if there is one.
	assets string
}

// startJaeger starts the Jaeger that make jaeger has built, as docker-compose.yml does. It skips the test if there is
// none. What it has acknowledged can be queried: its configuration has no batches.
func startJaeger(t *testing.T, o jaegerOptions) *jaegerServer {
	t.Helper()
	binary := builtPeer(t, "jaeger", "OTELPROF_TEST_REQUIRE_JAEGER")
	otlp, query, health := freeAddress(t), freeAddress(t), freeAddress(t)
	ui, err := filepath.Abs("../deploy/jaeger-ui.json")
	require.NoError(t, err)
	changes := map[string]string{
		"0.0.0.0:4317": freeAddress(t), "0.0.0.0:4318": otlp, "0.0.0.0:16685": freeAddress(t), "0.0.0.0:16686": query,
		"0.0.0.0:13133": health, "/etc/jaeger/ui.json": ui,
	}
	if o.prometheus != "" {
		changes["http://prometheus:9090"] = o.prometheus
	}
	if o.assets != "" {
		changes["    ui:\n"] = "    ui:\n      assets_path: " + o.assets + "\n"
	}
	config := deployed(t, "jaeger.yaml", changes)
	start(t, binary, "--config", config).awaitReady(t, answers("http://"+health+"/status"))
	return &jaegerServer{otlp: "http://" + otlp, query: "http://" + query}
}

// get returns the answer of one of Jaeger's APIs.
func (j *jaegerServer) get(t *testing.T, path string, query url.Values) []byte {
	t.Helper()
	address := j.query + path + "?" + query.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, "%s: %s", address, body)
	return body
}

// services returns the names of all services.
func (j *jaegerServer) services(t *testing.T) []string {
	t.Helper()
	var answer struct{ Services []string }
	require.NoError(t, json.Unmarshal(j.get(t, "/api/v3/services", nil), &answer))
	return answer.Services
}

// traces returns all traces of a service. Raw traces are as they came; the others are as the user interface gets them.
func (j *jaegerServer) traces(t *testing.T, service string, raw bool) []*tracepb.ResourceSpans {
	t.Helper()
	now := time.Now()
	return otlpSpans(t, j.get(t, "/api/v3/traces", url.Values{
		"query.service_name":   {service},
		"query.start_time_min": {now.Add(-time.Hour).Format(time.RFC3339Nano)},
		"query.start_time_max": {now.Add(time.Hour).Format(time.RFC3339Nano)},
		"query.num_traces":     {"100000"},
		"query.raw_traces":     {strconv.FormatBool(raw)},
	}))
}

// trace returns the trace with an id, which Jaeger must have.
func (j *jaegerServer) trace(t *testing.T, id core.TraceID) []*tracepb.ResourceSpans {
	t.Helper()
	return otlpSpans(t, j.get(t, "/api/v3/traces/"+id.String(), url.Values{"raw_traces": {"true"}}))
}

// otlpSpans reads OTLP/JSON in the envelope of Jaeger's API. Its ids are in hex, unlike those of protobuf's own JSON.
func otlpSpans(t *testing.T, answer []byte) []*tracepb.ResourceSpans {
	t.Helper()
	var envelope struct{ Result json.RawMessage }
	require.NoError(t, json.Unmarshal(answer, &envelope))
	return otlpJSON(t, envelope.Result)
}

// otlpJSON reads OTLP/JSON.
func otlpJSON(t *testing.T, text []byte) []*tracepb.ResourceSpans {
	t.Helper()
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	require.NoError(t, err)
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	require.NoError(t, err)
	var out tracepb.TracesData
	require.NoError(t, proto.Unmarshal(data, &out))
	return out.ResourceSpans
}
