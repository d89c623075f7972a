package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoadHasTheSpansItSays(t *testing.T) {
	l, err := newGenerator().next(3000)
	require.NoError(t, err)
	require.GreaterOrEqual(t, l.spans, 3000)
	require.Len(t, l.counts, len(l.requests))
	require.InDelta(t, 400, float64(l.bytes)/float64(l.spans), 150)
}

func TestReportNamesWhatIsMissed(t *testing.T) {
	r := newReport(nil)
	r.ingest = []ingestRow{{store: "none", protocol: "gRPC", cpu: 900 * time.Millisecond}, {store: "pebble", protocol: "HTTP", cpu: time.Second, perSpan: 50}}
	r.queries = []queryRow{{"trace by id", 10, time.Millisecond, 2 * time.Millisecond}}
	text := r.markdown()
	require.Contains(t, text, "| statistics only, over gRPC | ≤ 0.80 CPU s/M | 0.90 CPU s/M | **missed** |")
	require.Contains(t, text, "| on disk, over HTTP | ≤ 60.0 B/span | 50.0 B/span | met |")
	require.Contains(t, text, "| trace by id, 10 spans, p50 | ≤ 5.0 ms | 1.0 ms | met |")
}
