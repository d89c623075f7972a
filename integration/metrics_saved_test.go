package integration

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/exporter"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// savedRequest holds a request with a cumulative profile and its call tree. Write it with
//
//	go test -trimpath -run Saved . -update
//
// so that it holds no path of the machine it was written on.
const savedRequest = "testdata/profile-metrics.binpb"

// TestSavedMetricsStayReadable fails when a change of names or meanings makes the metrics of earlier versions unreadable.
func TestSavedMetricsStayReadable(t *testing.T) {
	if *update {
		shop, receiver := newTraffic(t), newMetricsReceiver()
		provider := push(t, "http", receiver, exporter.NewProducer(shop, exporter.WithCallTree()))
		shop.send(3)
		require.NoError(t, provider.ForceFlush(t.Context()))
		data, err := proto.Marshal(&collectorpb.ExportMetricsServiceRequest{ResourceMetrics: <-receiver.requests})
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(savedRequest, data, 0o644))
	}
	data, err := os.ReadFile(savedRequest)
	require.NoError(t, err)
	var in collectorpb.ExportMetricsServiceRequest
	require.NoError(t, proto.Unmarshal(data, &in))
	got, err := exporter.ReadMetrics(in.ResourceMetrics)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "shop", got[0].Name())
	require.Len(t, got[0].Blocks, 2)
	require.Len(t, got[0].Nodes, 2)
	require.Equal(t, uint64(6), got[0].Counters.Spans)
	for _, b := range got[0].Blocks {
		require.NotEmpty(t, b.Site.File)
		require.False(t, filepath.IsAbs(b.Site.File), "%s: write it with -trimpath", b.Site.File)
	}
	server := got[0].Blocks[0].Stats
	require.Equal(t, uint64(3), server.Count)
	require.Equal(t, uint64(3e6), server.Self, "a millisecond each beside the query")
}
