package pebblestore

import (
	"bytes"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func newChunkReader(t testing.TB) *chunkReader {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxChunk))
	require.NoError(t, err)
	t.Cleanup(decoder.Close)
	return &chunkReader{decoder: decoder}
}

// encodeChunk returns the chunk of the traces, and the hashes of the attributes that were noted.
func encodeChunk(t testing.TB, w *blockWriter, traces []store.Trace) ([]byte, []uint64) {
	w.openChunk()
	for i := range traces {
		require.NoError(t, w.chunk.read(traces[i].Spans))
		w.chunk.write(&traces[i].ID)
	}
	return w.chunk.finish(nil), slices.Clone(w.hashes)
}

// decodeChunk reads everything in a chunk.
func decodeChunk(r *chunkReader, chunk []byte) (traces []store.Trace, err error) {
	if err := r.open(chunk); err != nil {
		return nil, err
	}
	for {
		id, n, ok, err := r.next()
		if err != nil || !ok {
			return traces, err
		}
		tr := store.Trace{ID: id}
		for i := range n {
			origin, err := r.span(i)
			if err != nil {
				return traces, err
			}
			tr.Spans = append(tr.Spans, store.Span{Origin: origin, Raw: r.raw(nil)})
		}
		traces = append(traces, tr)
	}
}

func requireSameTraces(t testing.TB, want, got []store.Trace) {
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].ID, got[i].ID)
		require.Len(t, got[i].Spans, len(want[i].Spans))
		for j := range want[i].Spans {
			require.Equal(t, want[i].Spans[j].Origin, got[i].Spans[j].Origin)
			require.True(t, bytes.Equal(want[i].Spans[j].Raw, got[i].Spans[j].Raw), "trace %d span %d", i, j)
		}
	}
}

func TestChunkRoundTrip(t *testing.T) {
	w, err := newBlockWriter()
	require.NoError(t, err)
	r := newChunkReader(t)
	for seed := range uint64(3) {
		m := storetest.NewGenerator(seed).Segment(100)
		chunk, _ := encodeChunk(t, w, m.Traces)
		got, err := decodeChunk(r, chunk)
		require.NoError(t, err)
		requireSameTraces(t, m.Traces, got)
	}
}

// FuzzChunkSpan writes a span of arbitrary bytes, twice, among usual ones. What is a Span message comes back as it was, and the
// filter has what the matcher would find.
func FuzzChunkSpan(f *testing.F) {
	m := storetest.NewGenerator(1).Segment(3)
	for _, s := range m.Spans {
		f.Add(s.Raw)
	}
	for _, s := range []string{"", "\x00", "\x0a\x10", "\x0a\x8f\x00", "\x80\x80\x01", "\x12\x08abcdefgh\x12\x08abcdefgh",
		"\x22\x08abcdefgh", "\x3912345678\x3987654321\x4112345678", "\x30\xff\x01", "\x7a\x03\x18\x82\x00", "\x4a\x00",
		"\x4a\x0d\x0a\x01k\x12\x08\x0a\x06string", "\x5a\x09\x1a\x07\x0a\x01k\x12\x02\x10\x01", "\x2a\x01n\x2a\x01m"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := newBlockWriter()
		require.NoError(t, err)
		usual := m.Traces[0]
		spans := slices.Concat(usual.Spans, []store.Span{{Origin: 1, Raw: raw}}, usual.Spans[:1], []store.Span{{Origin: 300, Raw: raw}})
		traces := []store.Trace{{ID: usual.ID, Spans: spans}, m.Traces[1]}
		var read otlp.Span
		readable := read.Read(raw) == nil
		if err := w.chunk.read(spans); err != nil {
			require.False(t, readable)
			return
		}
		chunk, hashes := encodeChunk(t, w, traces)
		got, err := decodeChunk(newChunkReader(t), chunk)
		require.NoError(t, err)
		requireSameTraces(t, traces, got)
		if !readable {
			return // a field of the wrong type, which is kept as it is
		}

		var scanned rawSpan
		_, err = scanned.scan(raw, nil)
		require.NoError(t, err)
		require.Equal(t, string(read.Name), string(scanned.name))
		require.Equal(t, read.Kind, scanned.kind)
		require.Equal(t, []uint64{read.Start, read.End}, []uint64{scanned.start, scanned.end})
		require.Equal(t, read.Failed, scanned.failed)

		var texts otlp.Texts
		texts.Span(raw, func(key, text []byte) bool {
			require.Contains(t, hashes, attributeHash(key, text), "%q=%q", key, text)
			requireMarked(t, chunk, len(usual.Spans), &store.Query{Attributes: []store.Attribute{{Key: string(key), Value: string(text)}}})
			return true
		})
		requireMarked(t, chunk, len(usual.Spans), &store.Query{Operation: string(read.Name)})
	})
}

// requireMarked fails if the sieve of the query leaves out the span with the number n of the first trace.
func requireMarked(t *testing.T, chunk []byte, n int, q *store.Query) {
	sieve := store.NewMatcher(q).Sieve()
	if sieve == nil {
		return
	}
	r := newChunkReader(t)
	r.look = sieve.Field
	require.NoError(t, r.open(chunk))
	_, _, _, err := r.next()
	require.NoError(t, err)
	for i := range n + 1 {
		_, err := r.span(i)
		require.NoError(t, err)
	}
	require.True(t, r.marked, "%+v", q)
}

// FuzzChunkReader reads arbitrary bytes in place of a chunk: with a right checksum, and as its three parts.
func FuzzChunkReader(f *testing.F) {
	w, err := newBlockWriter()
	require.NoError(f, err)
	m := storetest.NewGenerator(2).Segment(3)
	chunk, _ := encodeChunk(f, w, m.Traces)
	f.Add(chunk[:len(chunk)-4], []byte{}, []byte{})
	f.Add(w.chunk.plain, w.chunk.tokens, w.chunk.literals)
	f.Add([]byte{}, []byte{1, 0, tokenNext}, []byte("x"))
	f.Fuzz(func(t *testing.T, a, tokens, literals []byte) {
		r := newChunkReader(t)
		check := func(err error) {
			if err != nil {
				require.ErrorIs(t, err, store.ErrDamaged)
			}
		}
		_, err := decodeChunk(r, withChecksum(slices.Clone(a)))
		check(err)
		_, err = decodeChunk(r, a)
		check(err)
		whole := chunkWriter{plain: a, tokens: tokens, literals: literals, encoder: w.chunk.encoder}
		_, err = decodeChunk(r, whole.finish(nil))
		check(err)
	})
}

// FuzzIndex reads arbitrary bytes in place of what is stored beside the chunks. What can be read is written the same again.
func FuzzIndex(f *testing.F) {
	x := blockIndex{
		operations: []store.Operation{{Service: "a", Name: "b", Kind: core.KindClient}, {Name: "c"}},
		chunks: []chunkIndex{{spans: 3, minStart: -5, maxStart: 7, operations: []chunkOperation{
			{operation: 0, longest: 3, failed: true}, {operation: 1, longest: 900, fine: true}}}},
	}
	f.Add(x.append(nil))
	origins := originTable{used: []usedOrigin{{Origin: store.Origin{Resource: []byte("r"), Scope: []byte("s"), Service: "a"}}}}
	f.Add(origins.append(nil))
	f.Add((&summary{start: 1, maxStart: 2, end: 3, spans: 4, traces: 5, bytes: 6, services: []string{"a", "b"}}).append(nil))
	f.Add(appendFilter(nil, []uint64{1, 2, 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := parseBlockIndex(b); err == nil {
			again, err := parseBlockIndex(x.append(nil))
			require.NoError(t, err)
			require.Equal(t, x, again)
			wanted, _ := x.wanted(&store.Query{Service: "a"})
			for i := range x.chunks {
				x.chunks[i].matches(&store.Query{Service: "a"}, store.NewMatcher(&store.Query{}), wanted)
			}
		}
		_, _ = parseOrigins(b)
		_, _ = parseSummary(1, b)
		_, _ = parseSummary(1, withChecksum(slices.Clone(b)))
		if filter, _, err := cutFilter(b); err == nil {
			probesOf(1).in(filter)
		}
		traceTable(b[:len(b)/traceEntry*traceEntry]).find(nil, &core.TraceID{1})
	})
}

func TestRoundUp(t *testing.T) {
	before := uint16(0)
	for d := int64(0); d < 1<<62; d += 1 + d/57 {
		up := roundUp(d)
		require.GreaterOrEqual(t, up, before)
		require.LessOrEqual(t, up, roundUp(d+1))
		before = up
	}
	require.Zero(t, roundUp(-1))
	require.GreaterOrEqual(t, roundUp(1<<63-1), before)
}

func TestFilter(t *testing.T) {
	const n = 3000
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = attributeHash([]byte("key"), []byte{byte(i), byte(i >> 8)})
	}
	filter, rest, err := cutFilter(appendFilter(nil, hashes))
	require.NoError(t, err)
	require.Empty(t, rest)
	for _, h := range hashes {
		require.True(t, probesOf(h).in(filter))
	}
	wrong := 0
	for i := range 100_000 {
		if probesOf(attributeHash([]byte("other"), []byte{byte(i), byte(i >> 8), byte(i >> 16)})).in(filter) {
			wrong++
		}
	}
	require.Less(t, wrong, 500, "more than 0.5 %% of what is not there seems to be")
}
