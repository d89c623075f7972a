package exporter

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
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

// largeProfile returns a profile of n nodes as a large service has them: random traces through a program of some hundred
// sites, each of which calls others of its own, some often and most rarely, and takes a time around a mean of its own.
// A tenth of the traces is sampled.
func largeProfile(t testing.TB, n int) *core.Snapshot {
	p := program{r: rand.New(rand.NewPCG(uint64(n), 0)), now: 1_700_000_000e9}
	var err error
	p.Aggregator, err = core.New(core.Config{Name: "large"})
	require.NoError(t, err)
	for i := range max(n/30, 20) {
		p.labels = append(p.labels, p.Label(core.Site{
			Track: fmt.Sprintf("github.com/example/shop/internal/package%d", i%12), Name: fmt.Sprintf("operation %d of %d", i, i%7),
			Kind: core.Kind(1 + i%3), Function: fmt.Sprintf("github.com/example/shop/internal/package%d.(*Service).Method%d", i%12, i),
			File: fmt.Sprintf("/src/shop/internal/package%d/service.go", i%12), Line: 10 + i,
		}))
	}
	for {
		for range 200 {
			p.trace()
		}
		if s := p.Snapshot(); len(s.Nodes) >= n {
			s.Start, s.End = unixTime(1_700_000_000e9), unixTime(1_700_000_060e9)
			s, _ = fold(s, n)
			return fromNodes(s)
		}
	}
}

type program struct {
	*core.Aggregator
	r      *rand.Rand
	labels []*core.Label
	now    int64
}

func (p *program) id(b []byte) {
	for i := range b {
		b[i] = byte(p.r.IntN(256))
	}
}

// trace runs the program once.
func (p *program) trace() {
	var o core.Opening
	p.id(o.Trace[:])
	p.now += p.r.Int64N(1e6)
	p.call(&o, p.r.IntN(10), 0, p.r.IntN(10) == 0)
}

// call runs a site and those that it calls, and returns its duration.
func (p *program) call(o *core.Opening, site, depth int, sampled bool) int64 {
	p.id(o.Span[:])
	p.Open(o)
	start, duration := p.now, int64(math.Exp2(10+float64(site%13)+p.r.NormFloat64()/2))
	for range p.r.IntN(4) {
		if depth < 9 {
			callee := (site*7 + int(math.Exp(4*p.r.Float64()))) % len(p.labels)
			duration += p.call(&core.Opening{Trace: o.Trace, Parent: o.Span}, callee, depth+1, sampled)
		}
	}
	p.now = start + duration
	p.Close(&core.Closing{Trace: o.Trace, Span: o.Span, Exemplar: o.Span, Label: p.labels[site], Start: start, Duration: duration,
		Failed: p.r.IntN(300) == 0, Sampled: sampled})
	return duration
}

// TestTracksSize bounds what a report costs on the wire: this profile of 10 000 nodes fits into 1 MiB. It is the same
// on every machine. What a node takes depends on how much was observed of it: half of the 10 000 nodes were seen
// once; those of the profile of 1000 nodes have larger histograms.
func TestTracksSize(t *testing.T) {
	for _, c := range []struct{ nodes, limit int }{{1000, 170 << 10}, {10_000, 1 << 20}} {
		s := largeProfile(t, c.nodes)
		spans, _ := encodeWindow(&window{profile: s}, core.TraceID{1}, 1)
		request := []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}
		size := gzipSize(t, request)
		t.Logf("%d nodes: %d bytes, %d compressed, %d a node", c.nodes, encodedSize(t, request), size, size/c.nodes)
		require.Less(t, size, c.limit, "%d nodes", c.nodes)
		got, err := ReadSpans(request)
		require.NoError(t, err)
		requireSameProfile(t, s, got[0])
	}
}

// BenchmarkTracksReport is what an interval costs: the difference to the last snapshot, layout, encoding, and
// in /marshal also what the client does.
func BenchmarkTracksReport(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		s := largeProfile(b, n)
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
