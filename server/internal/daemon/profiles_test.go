package daemon

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/profiles/profilestest"
)

// TestProfilesAsMetricsStandBesideTheirSpans sends the profile of a process by both protocols, each part of it twice, and
// raw spans of the same service.
func TestProfilesAsMetricsStandBesideTheirSpans(t *testing.T) {
	c := testConfig()
	c.Pipeline.TraceGrace = 1 // files at once
	c.Pipeline.TraceIdle = 1
	d := startTest(t, c)
	connection, err := grpc.NewClient(d.url(t, "otlp_grpc")[len("http://"):], grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	byGRPC := colmetricspb.NewMetricsServiceClient(connection)
	byHTTP := func(body []byte) {
		r := request(t, http.MethodPost, d.url(t, "otlp_http")+"/v1/metrics", body)
		r.Header.Set("Content-Type", "application/x-protobuf")
		status, answer := ask(t, r)
		require.Equal(t, http.StatusOK, status)
		require.Empty(t, answer, "no partial success")
	}
	p := profilestest.New(t, 7, metricdata.DeltaTemporality)
	for range 3 {
		body := p.Work()
		byHTTP(body)
		var message colmetricspb.ExportMetricsServiceRequest
		require.NoError(t, proto.Unmarshal(body, &message))
		answer, err := byGRPC.Export(t.Context(), &message) // the same once more
		require.NoError(t, err)
		require.Zero(t, answer.GetPartialSuccess().GetRejectedDataPoints())
	}
	require.Equal(t, http.StatusOK, d.send(t, spans(t, "shop", "GET /")))

	want := map[string]uint64{"shop GET /": 1}
	for _, b := range p.Snapshot().Blocks {
		want["shop-profile "+b.Site.Name] = b.Stats.Count
	}
	require.Eventually(t, func() bool { return d.pipeline.Counters().Pending == 0 }, time.Minute, 10*time.Millisecond)
	_, body := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/api/v1/blocks?since=all", nil))
	var answer struct {
		Blocks []struct {
			Service, Name string
			Stats         struct{ Count uint64 }
		}
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	have := map[string]uint64{}
	for _, b := range answer.Blocks {
		have[b.Service+" "+b.Name] = b.Stats.Count
	}
	require.Equal(t, want, have)
}
