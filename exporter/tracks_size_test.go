package exporter

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/internal/traffic"
)

func encodedSize(t testing.TB, spans []*tracepb.ResourceSpans) int {
	t.Helper()
	return proto.Size(&tracepb.TracesData{ResourceSpans: spans})
}

// gzipSize returns the size of a request as the OTLP clients compress it.
func gzipSize(t testing.TB, spans []*tracepb.ResourceSpans) int {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	require.NoError(t, err)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Len()
}

// TestTracksSize bounds what a report costs on the wire, which is the same on every machine. A node takes the more the more
// was observed of it: of 10 000 nodes with 120 durations each the histograms alone are 360 KiB, in the fewest bits, and all
// that is packed 514 KiB. The benchmarks say what other shapes take.
func TestTracksSize(t *testing.T) {
	for _, c := range []struct {
		what  string
		shape traffic.Shape
		limit int
	}{
		{"1000 nodes, all of them busy", traffic.Shape{Nodes: 1000, Spans: 120_000, Rare: 2, Spread: 0.5, Sampled: 0.1}, 150 << 10},
		{"10 000 nodes, 5000 spans a second", traffic.Shape{Nodes: 10_000, Spans: 300_000, Rare: 4, Spread: 0.5, Sampled: 0.1}, 800 << 10},
		{"10 000 nodes, evenly used", traffic.Shape{Nodes: 10_000, Spans: 300_000, Rare: 2, Spread: 0.5, Sampled: 0.1}, 900 << 10},
		{"10 000 nodes, all of them busy", traffic.Shape{Nodes: 10_000, Spans: 1_200_000, Rare: 2, Spread: 1, Sampled: 0.1}, 1200 << 10},
	} {
		s := traffic.Profile(c.shape)
		spans, _ := encodeWindow(&window{profile: s, detailed: DefaultTracksMaxDetailed}, core.TraceID{1}, 1)
		request := []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}
		size := gzipSize(t, request)
		t.Logf("%s: %d bytes, %d compressed, %d a node", c.what, encodedSize(t, request), size, size/c.shape.Nodes)
		require.Less(t, size, c.limit, c.what)
		got, err := ReadSpans(request)
		require.NoError(t, err)
		requireSameProfile(t, linkedOnly(s), got[0])
	}
}

// BenchmarkTracksReport is what an interval costs: the difference to the last snapshot, layout, encoding, and
// in /marshal also what the client does.
func BenchmarkTracksReport(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		s := traffic.Profile(traffic.Shape{Nodes: n, Spans: 30 * n, Rare: 4, Spread: 0.5, Sampled: 0.1})
		for name, upload := range map[string]func(spans []*tracepb.ResourceSpans) int{
			"spans":   func([]*tracepb.ResourceSpans) int { return 0 },
			"marshal": func(spans []*tracepb.ResourceSpans) int { return gzipSize(b, spans) },
		} {
			b.Run(fmt.Sprintf("nodes=%d/%s", n, name), func(b *testing.B) {
				size := 0
				tracks, err := NewTracks(&fixed{s}, uploadFunc(func(spans []*tracepb.ResourceSpans) { size += upload(spans) }))
				require.NoError(b, err)
				b.ReportAllocs()
				for b.Loop() {
					tracks.windows.last = &core.Snapshot{}
					require.NoError(b, tracks.report(b.Context()))
				}
				b.ReportMetric(float64(size)/float64(b.N), "sent-B/op")
			})
		}
	}
}

type uploadFunc func([]*tracepb.ResourceSpans)

func (uploadFunc) Start(context.Context) error { return nil }
func (uploadFunc) Stop(context.Context) error  { return nil }
func (f uploadFunc) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	f(spans)
	return nil
}
