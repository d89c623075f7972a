package exporter

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
)

// spansOf encodes a window as a client does, and takes the spans apart in random order.
func spansOf(t testing.TB, w *window, r *rand.Rand) []*tracepb.ResourceSpans {
	t.Helper()
	spans, sizes := encodeWindow(w, core.TraceID{1, 2}, 77)
	r.Shuffle(len(spans), func(i, j int) {
		spans[i], spans[j], sizes[i], sizes[j] = spans[j], spans[i], sizes[j], sizes[i]
	})
	cut := r.IntN(len(spans) + 1)
	var out []*tracepb.ResourceSpans
	for i, span := range spans {
		require.LessOrEqual(t, proto.Size(span), sizes[i], "the bound of the size is too small for %v", span)
	}
	for _, part := range [][]*tracepb.Span{spans[:cut], spans[cut:]} {
		data, err := proto.Marshal(&tracepb.ResourceSpans{ScopeSpans: []*tracepb.ScopeSpans{{Spans: part}}})
		require.NoError(t, err)
		var decoded tracepb.ResourceSpans
		require.NoError(t, proto.Unmarshal(data, &decoded))
		out = append(out, &decoded)
	}
	return out
}

// requireRoundTrip reads back what was written of a profile.
func requireRoundTrip(t testing.TB, want *core.Snapshot, r *rand.Rand) {
	t.Helper()
	got, err := ReadSpans(spansOf(t, &window{profile: want, unsampledLinks: true}, r))
	require.NoError(t, err)
	require.Len(t, got, 1)
	requireSameProfile(t, want, got[0])
	got, err = ReadSpans(spansOf(t, &window{profile: want}, r))
	require.NoError(t, err)
	requireSameProfile(t, linkedOnly(want), got[0])
}

// linkedOnly returns a profile without the exemplars that are not sampled.
func linkedOnly(s *core.Snapshot) *core.Snapshot {
	out := *s
	out.Nodes, out.Blocks = slices.Clone(s.Nodes), slices.Clone(s.Blocks)
	var all []*core.Stats
	for i := range out.Nodes {
		all = append(all, &out.Nodes[i].Stats)
	}
	for i := range out.Blocks {
		all = append(all, &out.Blocks[i].Stats)
	}
	for _, stats := range all {
		for _, e := range []*core.Exemplar{&stats.Slowest, &stats.LastError} {
			if !e.Sampled {
				*e = core.Exemplar{}
			}
		}
	}
	sums, inTree := nodeSums(&out)
	for i := range out.Blocks {
		b := &out.Blocks[i].Stats
		// What is not outside of the tree is read as the sum of the nodes.
		if d := outsideOf(b, &sums[i]); inTree[i] && isNothing(&d, &sums[i]) && b.Active == 0 {
			b.Slowest, b.LastError = sums[i].Slowest, sums[i].LastError
		}
	}
	return &out
}

// fromNodes returns a difference with the estimates of its blocks replaced by those of their nodes.
func fromNodes(s *core.Snapshot) *core.Snapshot {
	out := *s
	out.Blocks = slices.Clone(s.Blocks)
	sums, inTree := nodeSums(s)
	for i := range out.Blocks {
		b := &out.Blocks[i]
		if d := outsideOf(&b.Stats, &sums[i]); inTree[i] && isNothing(&d, &sums[i]) && b.Stats.Active == 0 {
			b.Stats = sums[i]
		}
	}
	return &out
}

func TestReadSpansGivesBackProfiles(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorkload(t, seed)
		r := rand.New(rand.NewPCG(seed, 1))
		w.run(r.IntN(40))
		s := w.Snapshot()
		require.NoError(t, s.Validate())
		requireRoundTrip(t, s, r)
		requireRoundTrip(t, withoutTree(s), r)
	}
}

func TestReadSpansGivesBackDifferences(t *testing.T) {
	negative := 0
	for seed := range uint64(100) {
		w := newWorkload(t, seed)
		r := rand.New(rand.NewPCG(seed, 1))
		w.run(r.IntN(20))
		// An open root holds its child back until the second window.
		late := &core.Opening{}
		w.Open(late)
		child := &core.Opening{Trace: late.Trace, Parent: late.Span}
		w.Open(child)
		end := func(o *core.Opening) {
			w.Close(&core.Closing{Trace: o.Trace, Span: o.Span, Label: w.Label(core.Site{Name: "late"}), Start: 1e9, Duration: 7})
		}
		end(child)
		first := w.Snapshot()
		end(late)
		w.run(r.IntN(20))
		d, err := w.Snapshot().Sub(first)
		require.NoError(t, err)
		for _, b := range d.Blocks {
			if b.Pending < 0 {
				negative++
			}
		}
		require.NoError(t, fromNodes(d).Validate())
		requireRoundTrip(t, fromNodes(d), r)
	}
	require.Positive(t, negative, "no block's tree received observations of an earlier window")
}

func TestReadSpansGivesBackSaturatedSums(t *testing.T) {
	w := newWorkload(t, 1)
	for range 6 { // of 146 years each
		w.Record(w.Label(core.Site{Name: "endless"}), &core.Observation{Duration: 1 << 62})
	}
	requireRoundTrip(t, w.Snapshot(), rand.New(rand.NewPCG(1, 1)))
}

func TestReadSpansOfSeveralWindows(t *testing.T) {
	w := newWorkload(t, 3)
	w.run(20)
	first := w.Snapshot()
	w.run(20)
	second := w.Snapshot()
	var spans []*tracepb.ResourceSpans
	for i, s := range []*core.Snapshot{second, first} {
		list, _ := encodeWindow(&window{profile: s}, core.TraceID{byte(i + 1)}, 1)
		list = append(list, list[0], &tracepb.Span{Name: "of somebody else"})
		spans = append(spans, nil, &tracepb.ResourceSpans{ScopeSpans: []*tracepb.ScopeSpans{nil, {Spans: append(list, nil)}}})
	}
	got, err := ReadSpans(spans)
	require.NoError(t, err)
	require.Len(t, got, 2)
	requireSameProfile(t, linkedOnly(first), got[0])
	requireSameProfile(t, linkedOnly(second), got[1])
}

// What version 1 wrote is read as what it was.
func TestReadSpansOfVersion1(t *testing.T) {
	data, err := os.ReadFile("testdata/spans-1.binpb")
	require.NoError(t, err)
	var traces tracepb.TracesData
	require.NoError(t, proto.Unmarshal(data, &traces))
	got, err := ReadSpans(traces.ResourceSpans)
	require.NoError(t, err)
	require.Len(t, got, 1)
	data, err = os.ReadFile("testdata/spans-1.otelprof")
	require.NoError(t, err)
	want, err := core.Decode(bytes.NewReader(data), core.DecodeLimits{})
	require.NoError(t, err)
	requireSameProfile(t, want, got[0])
	requireRoundTrip(t, want, rand.New(rand.NewPCG(1, 1)))
}

// sample returns the spans of a small profile: the window, the track and the path a, b, with something outside.
func sample(t testing.TB) []*tracepb.Span {
	a, err := core.New(core.Config{Name: "shop"})
	require.NoError(t, err)
	end := func(o *core.Opening, name string) {
		e := core.SpanID{9}
		a.Close(&core.Closing{Trace: o.Trace, Span: o.Span, Exemplar: e, Label: a.Label(core.Site{Track: "t", Name: name}),
			Start: 1e9, Duration: 50, Failed: true, Sampled: name == "a"})
	}
	trace := core.TraceID{5}
	root := &core.Opening{Trace: trace, Span: core.SpanID{1}}
	child := &core.Opening{Trace: trace, Span: core.SpanID{2}, Parent: root.Span}
	a.Open(root)
	a.Open(child)
	end(child, "b")
	end(root, "a")
	open := &core.Opening{}
	a.Open(open)
	inner := &core.Opening{Trace: open.Trace, Parent: open.Span}
	a.Open(inner)
	end(inner, "pending")
	s := a.Snapshot()
	s.Start, s.End = time.Unix(1, 0), time.Unix(2, 0) // which the codes depend on
	spans, _ := encodeWindow(&window{profile: s}, core.TraceID{3}, 1)
	var names []string
	for _, span := range spans {
		names = append(names, span.GetName())
	}
	require.Equal(t, []string{"profile", "t", "(outside the tree)", "a", "b", "pending"}, names)
	return spans
}

func someBytes(data ...byte) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: data}}
}

func withAttr(key string, value *commonpb.AnyValue) func(*tracepb.Span) {
	return func(span *tracepb.Span) {
		for _, kv := range span.Attributes {
			if kv.Key == key {
				kv.Value = value
				return
			}
		}
		span.Attributes = append(span.Attributes, &commonpb.KeyValue{Key: key, Value: value})
	}
}

func without(key string) func(*tracepb.Span) {
	return func(span *tracepb.Span) {
		span.Attributes = slices.DeleteFunc(span.Attributes, func(kv *commonpb.KeyValue) bool { return kv.Key == key })
	}
}

// packedBytes changes the packed statistics of a span.
func packedBytes(change func([]byte) []byte) func(*tracepb.Span) {
	return func(span *tracepb.Span) {
		for _, kv := range span.Attributes {
			if kv.Key == attrPacked {
				kv.Value.Value = &commonpb.AnyValue_BytesValue{BytesValue: change(slices.Clone(kv.Value.GetBytesValue()))}
			}
		}
	}
}

// repacked changes the statistics of a node in a window and packs them again.
func repacked(window *packing, change func(*core.Stats)) func(*tracepb.Span) {
	return func(span *tracepb.Span) {
		s, err := readStatistics(span, *window, &spanBudget{buckets: 99})
		if err != nil {
			panic(err)
		}
		change(&s)
		packedBytes(func([]byte) []byte { return window.pack(&s) })(span)
	}
}

func anInt(n int64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: n}}
}

func aText(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func ints(list ...int64) *commonpb.AnyValue {
	a := &commonpb.ArrayValue{}
	for _, n := range list {
		a.Values = append(a.Values, anInt(n))
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: a}}
}

func TestReadSpansRefuses(t *testing.T) {
	const root, group, a, b, outside = 0, 2, 3, 4, 5 // see sample
	long := aText(string(make([]byte, maxReadText+1)))
	both := func(changes ...func(*tracepb.Span)) func(*tracepb.Span) {
		return func(span *tracepb.Span) {
			for _, change := range changes {
				change(span)
			}
		}
	}
	var window packing
	below := func(id byte) func(*tracepb.Span) {
		return func(span *tracepb.Span) { span.ParentSpanId = []byte{0, 0, 0, 0, 0, 0, 0, id} }
	}
	for _, c := range []struct {
		name   string
		span   int
		change func(*tracepb.Span)
		want   string
	}{
		{"short trace id", b, func(s *tracepb.Span) { s.TraceId = s.TraceId[:15] }, "1 spans have a trace or span id that is none"},
		{"long parent id", b, func(s *tracepb.Span) { s.ParentSpanId = append(s.ParentSpanId, 1) }, "id that is none"},
		{"zero span id", b, func(s *tracepb.Span) { s.SpanId = make([]byte, 8) }, "id that is none"},
		{"other trace", b, func(s *tracepb.Span) { s.TraceId = []byte("0123456789abcdef") }, "the span of the window is missing"},
		{"no window", root, withAttr(attrRole, aText("unknown")), "the span of the window is missing"},
		{"two windows", group, withAttr(attrRole, aText(roleWindow)), "there are two windows in it"},
		{"later version", root, withAttr(attrVersion, anInt(3)), "version is 3, want 1 or 2"},
		{"other scale", root, withAttr(attrScale, anInt(5)), "scale of the histograms is 5, want 6"},
		{"missing spans", root, withAttr(attrSpans, anInt(7)), "it has 6 spans of the profile, want 7"},
		{"time as text", root, withAttr(attrStart, aText("1")), `window: attribute "otelprof.start" is not an integer`},
		{"names as text", root, withAttr(attrProfiles, aText("1")), "is not a list"},
		{"names as numbers", root, withAttr(attrProfiles, ints(1)), "is not a string"},
		{"counter as text", root, withAttr(prefixCounters+"evicted", aText("1")), "is not an integer"},
		{"parent is missing", b, below(200), "its parent 00000000000000c8 is missing"},
		{"parent is a group", b, below(3), "its parent is a \"group\", want a node or track"},
		{"circle", a, below(5), "2 nodes are not below the window: their parents form a circle"},
		{"own parent", b, below(5), "1 nodes are not below the window"},
		{"long name", b, func(s *tracepb.Span) { s.Name = long.GetStringValue() }, "its name has 65537 bytes"},
		{"long track", b, withAttr(attrTrack, long), `attribute "otelprof.track" has 65537 bytes, want at most 65536`},
		{"unknown kind", b, withAttr(attrKind, aText("nonsense")), `unknown kind "nonsense"`},
		{"negative line", b, withAttr(attrLine, anInt(-1)), "line -1"},
		{"duplicate", b, both(below(2), func(s *tracepb.Span) { s.Name = "a" }), "a duplicate of its sibling"},
		{"count as text", b, withAttr(attrCount, aText("1")), `attribute "otelprof.count" is not an integer`},
		{"more errors than calls", b, withAttr(attrErrors, anInt(2)), "2 errors in 1 observations"},
		{"too large a count", b, withAttr(attrCount, anInt(3)), `span 0000000000000005 ("b"): attribute "otelprof.packed"`},
		{"packed as text", b, withAttr(attrPacked, aText("1")), `attribute "otelprof.packed" is not of bytes`},
		{"packed is missing", b, without(attrPacked), `attribute "otelprof.packed": it is missing`},
		{"packed outside is missing", outside, without(attrPacked), "it is missing"},
		{"packed ends", b, packedBytes(func(p []byte) []byte { return p[:len(p)-1] }), "it ends too early"},
		{"packed goes on", b, packedBytes(func(p []byte) []byte { return append(p, 0) }), "it goes on after its end"},
		{"bit after the end", b, packedBytes(func(p []byte) []byte { p[len(p)-1] |= 1; return p }), "it goes on after its end"},
		{"self times as text", b, withAttr(attrPackedSelf, aText("1")), `attribute "otelprof.packed.self" is not of bytes`},
		{"self times end", b, withAttr(attrPackedSelf, someBytes()), `attribute "otelprof.packed.self": it ends too early`},
		{"self times go on", b, withAttr(attrPackedSelf, someBytes(0x80, 0)), `attribute "otelprof.packed.self": it goes on after its end`},
		{"self times cut", b, withAttr(attrPackedSelf, someBytes(0x50)), "it ends too early"},
		{"more self times than calls", b, withAttr(attrPackedSelf, someBytes(packing{}.packSelf(&core.Stats{
			Count: 2, SelfHistogram: &core.Histogram{Zero: 2},
		})...)), "1 observations, but 2 self times"},
		{"packed without its link", a, func(s *tracepb.Span) { s.Links = nil }, "it does not fit to the links"},
		{"link that is not packed", b, func(s *tracepb.Span) {
			s.Links = []*tracepb.Span_Link{{TraceId: s.TraceId, SpanId: s.SpanId, Attributes: []*commonpb.KeyValue{{Key: attrExemplar, Value: aText(exemplarLastError)}}}}
		}, "it does not fit to the links"},
		{"bucket out of range", b, repacked(&window, func(s *core.Stats) { s.Histogram = core.NewHistogram(0, []core.Bucket{{Index: 9000, Count: 1}}) }), "bucket index 9000"},
		{"bucket far out of range", b, repacked(&window, func(s *core.Stats) {
			s.Histogram = core.NewHistogram(0, []core.Bucket{{Index: math.MaxInt32, Count: 1}})
		}), "bucket 33128"},
		{"bucket beyond", b, repacked(&window, func(s *core.Stats) {
			s.Histogram = core.NewHistogram(0, []core.Bucket{{Index: 9, Count: 1}, {Index: math.MaxInt32, Count: 1}})
		}), "bucket 32776"},
		{"first after last", b, repacked(&window, func(s *core.Stats) { s.First = s.Last + 1 }), "the earliest start is after the latest end"},
		{"link without ids", a, func(s *tracepb.Span) { s.Links[0].SpanId = nil }, "an exemplar has no usable ids"},
		{"link with a number", a, func(s *tracepb.Span) { s.Links[0].Attributes[0].Value = anInt(1) }, "is not a string"},
		{"outside without a site", outside, withAttr(attrTrack, anInt(1)), "is not a string"},
		{"outside twice", group, both(withAttr(attrRole, aText(roleOutside)), withAttr(attrTrack, aText("t")),
			withAttr(attrPacked, &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: packing{outside: true}.pack(&core.Stats{})}}),
			func(s *tracepb.Span) { s.Name, s.Kind = "pending", 0 }), "its site has another such span"},
		{"outside does not add up", outside, withAttr(attrCount, anInt(5)), "5 observations, but 1 in the histogram"},
		{"outside below nothing", outside, withAttr(attrCount, anInt(-5)), "observations, but"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spans := sample(t)
			traces, err := tracesOf([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}})
			require.NoError(t, err)
			profile, _, err := traces[0].window()
			require.NoError(t, err)
			window = packingIn(profile)
			c.change(spans[c.span])
			got, err := ReadSpans([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}})
			require.ErrorContains(t, err, c.want)
			require.Empty(t, got)
		})
	}
}

func TestReadSpansLimits(t *testing.T) {
	chain := func(depth int) error {
		branches := make([]branch, depth)
		s := &core.Snapshot{Blocks: []core.Block{{Site: core.Site{Name: "recursion"}}}}
		for i := range branches {
			branches[i] = branch{site: s.Blocks[0].Site, parent: i - 1}
		}
		s.Nodes = inOrder(s.Blocks, branches)
		spans, _ := encodeWindow(&window{profile: s}, core.TraceID{1}, 1)
		_, err := ReadSpans([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}})
		return err
	}
	require.NoError(t, chain(maxReadDepth))
	require.ErrorIs(t, chain(maxReadDepth+1), core.ErrDecodeLimit)

	for what, budget := range map[string]spanBudget{
		"nodes":   {nodes: 1, blocks: 9, buckets: 9},
		"blocks":  {nodes: 9, blocks: 1, buckets: 9},
		"buckets": {nodes: 9, blocks: 9, buckets: 0},
	} {
		traces, err := tracesOf([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: sample(t)}}}})
		require.NoError(t, err)
		_, err = traces[0].read(&budget)
		require.ErrorIs(t, err, core.ErrDecodeLimit, what)
		require.ErrorContains(t, err, what)
	}
}

// TestReadSpansReturnsTheRest: what can be read is returned with the error, which stays short.
func TestReadSpansReturnsTheRest(t *testing.T) {
	spans := sample(t)
	for i := range 20 {
		spans = append(spans, &tracepb.Span{
			TraceId: fmt.Appendf(nil, "trace %010d", i), SpanId: []byte("span id!"),
			Attributes: []*commonpb.KeyValue{{Key: attrRole, Value: aText(roleNode)}},
		})
	}
	got, err := ReadSpans([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}})
	require.ErrorContains(t, err, "and 12 other traces")
	require.Len(t, got, 1)
}

func FuzzReadSpans(f *testing.F) {
	spans := sample(f)
	for n := range len(spans) + 1 {
		data, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans[:n]}}}}})
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var traces tracepb.TracesData
		if proto.Unmarshal(data, &traces) != nil {
			return
		}
		got, err := ReadSpans(traces.ResourceSpans)
		for _, s := range got {
			// What is accepted is a profile, and is written and read again as the same.
			require.NoError(t, s.Validate())
			spans, _ := encodeWindow(&window{profile: s, unsampledLinks: true}, core.TraceID{1}, 1)
			again, err := ReadSpans([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}})
			require.NoError(t, err)
			requireSameProfile(t, s, again[0])
		}
		if len(got) == 0 && err == nil {
			for _, r := range traces.ResourceSpans {
				for _, scope := range r.GetScopeSpans() {
					for _, span := range scope.GetSpans() {
						require.Empty(t, roleOf(span), "a span was ignored silently")
					}
				}
			}
		}
	})
}
