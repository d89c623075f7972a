package pebblestore

import (
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// How large things become. What is larger compresses better, and takes longer to read a single trace from.
const (
	blockSpans = 16384
	chunkSpans = 1024
	chunkBytes = 1 << 20 // before compression
	pieceBytes = 4 << 20 // of a trace that goes into one chunk, as received
)

// blockWriter turns segments into blocks. One goroutine at a time may use it.
type blockWriter struct {
	chunk chunkWriter
	batch *pebble.Batch
	// done are the summaries of the blocks that are written.
	done []*summary

	// Of the block at hand.
	block   uint64
	origins originTable
	index   blockIndex
	// operations are the indexes of index.operations.
	operations map[store.Operation]int32
	places     []tracePlace
	filters    []byte
	sum        *summary

	// Of the chunk at hand.
	spans, traces int
	info          chunkIndex
	// found are, by index of index.operations, what the chunk has of it; here lists those.
	found  []chunkOperation
	here   []int32
	known  map[spanOperation]int32
	hashes []uint64
	texts  otlp.Texts
	buffer []byte
}

// spanOperation is an operation as the chunk's spans tell it: by the numbers of origin and name.
type spanOperation struct {
	origin, name int32
	kind         core.Kind
}

func newBlockWriter() (*blockWriter, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	w := &blockWriter{known: make(map[spanOperation]int32), operations: make(map[store.Operation]int32)}
	w.chunk.encoder = encoder
	w.chunk.newField = func(tag uint32, field []byte) { w.hashes = fieldHashes(&w.texts, w.hashes, tag, field) }
	return w, nil
}

// write puts the spans of a segment into the batch, as blocks from the number first on, and returns their summaries.
func (w *blockWriter) write(batch *pebble.Batch, first uint64, g *store.Segment) ([]*summary, error) {
	w.batch, w.block, w.done, w.sum = batch, first, nil, nil
	for i := range g.Traces {
		t := &g.Traces[i]
		for rest := t.Spans; len(rest) > 0; {
			piece := rest[:w.fit(rest)]
			rest = rest[len(piece):]
			if err := w.trace(&t.ID, piece, g.Origins); err != nil {
				return nil, fmt.Errorf("segment: trace %s: %w", t.ID, err)
			}
			if len(rest) == 0 {
				w.sum.traces++
			}
		}
	}
	if err := w.closeBlock(); err != nil {
		return nil, err
	}
	w.batch = nil
	return w.done, nil
}

// fit closes what is full and returns how many of a trace's spans go into the chunk.
func (w *blockWriter) fit(spans []store.Span) int {
	n, size := 0, 0
	for n < len(spans) && n < chunkSpans && size < pieceBytes {
		size += len(spans[n].Raw)
		n++
	}
	return n
}

func (w *blockWriter) trace(id *core.TraceID, spans []store.Span, origins []store.Origin) error {
	if w.spans > 0 && w.spans+len(spans) > chunkSpans || w.chunk.size() > chunkBytes {
		if err := w.closeChunk(); err != nil {
			return err
		}
	}
	if w.sum != nil && w.sum.spans+int64(w.spans+len(spans)) > blockSpans {
		if err := w.closeBlock(); err != nil {
			return err
		}
	}
	if w.sum == nil {
		w.openBlock()
	}
	if err := w.chunk.read(spans); err != nil {
		return err
	}
	for i := range w.chunk.spans {
		s := &w.chunk.spans[i]
		s.origin = w.origin(s.origin, origins)
	}
	w.chunk.write(id)
	for i := range w.chunk.spans {
		w.note(&w.chunk.spans[i])
	}
	w.places = append(w.places, placeOf(id, len(w.index.chunks), w.traces))
	w.traces++
	w.spans += len(spans)
	return nil
}

// origin returns the number that an origin of the segment has in the block, and notes its attributes.
func (w *blockWriter) origin(n int, origins []store.Origin) int {
	local := w.origins.add(n, origins, &w.texts)
	if o := &w.origins.used[local]; o.chunk != len(w.index.chunks) {
		o.chunk = len(w.index.chunks)
		w.hashes = append(w.hashes, o.hashes...)
	}
	return local
}

// note enters a span that was written in the index.
func (w *blockWriter) note(s *rawSpan) {
	start, end := s.moments()
	w.info.minStart, w.info.maxStart = min(w.info.minStart, start), max(w.info.maxStart, start)
	w.sum.end = max(w.sum.end, end)

	key := spanOperation{int32(s.origin), int32(s.nameNumber), s.kind}
	n, ok := w.known[key]
	if !ok || s.nameNumber < 0 {
		n = w.operation(s)
		w.known[key] = n
	}
	o := &w.found[n]
	if !o.failed && !o.fine {
		w.here = append(w.here, n)
		o.longest = 0
	}
	o.longest = max(o.longest, roundUp(s.duration()))
	o.failed = o.failed || s.failed
	o.fine = o.fine || !s.failed
}

// operation returns the index of the span's operation in the block.
func (w *blockWriter) operation(s *rawSpan) int32 {
	o := store.Operation{Service: w.origins.used[s.origin].Service, Name: string(s.name), Kind: s.kind}
	n, ok := w.operations[o]
	if !ok {
		n = int32(len(w.index.operations))
		w.index.operations = append(w.index.operations, o)
		w.operations[o] = n
		w.found = append(w.found, chunkOperation{operation: n})
	}
	return n
}

func (w *blockWriter) openBlock() {
	w.sum = &summary{block: w.block, start: math.MaxInt64, maxStart: math.MinInt64, end: math.MinInt64}
	w.origins.reset()
	w.index = blockIndex{}
	clear(w.operations)
	w.places, w.filters, w.found = w.places[:0], w.filters[:0], w.found[:0]
	w.openChunk()
}

func (w *blockWriter) openChunk() {
	w.chunk.reset()
	w.spans, w.traces = 0, 0
	w.info = chunkIndex{minStart: math.MaxInt64, maxStart: math.MinInt64}
	w.here, w.hashes = w.here[:0], w.hashes[:0]
	clear(w.known)
}

func (w *blockWriter) closeChunk() error {
	if w.sum == nil || w.spans == 0 {
		return nil
	}
	w.info.spans = w.spans
	w.info.operations = w.chunkOperations()
	w.buffer = w.chunk.finish(w.buffer[:0])
	if err := w.set(key(keyChunk, w.block, uint64(len(w.index.chunks))), w.buffer); err != nil {
		return err
	}
	w.filters = appendFilter(w.filters, w.hashes)
	w.index.chunks = append(w.index.chunks, w.info)
	w.sum.spans += int64(w.spans)
	w.sum.start, w.sum.maxStart = min(w.sum.start, w.info.minStart), max(w.sum.maxStart, w.info.maxStart)
	w.openChunk()
	return nil
}

// chunkOperations returns what the chunk has, in order, and forgets it.
func (w *blockWriter) chunkOperations() []chunkOperation {
	all := make([]chunkOperation, 0, len(w.here))
	for n := range w.found {
		if o := &w.found[n]; o.failed || o.fine {
			all = append(all, *o)
			*o = chunkOperation{operation: int32(n)}
		}
	}
	return all
}

func (w *blockWriter) closeBlock() error {
	if w.sum == nil {
		return nil
	}
	if err := w.closeChunk(); err != nil {
		return err
	}
	w.sum.services = w.index.services()
	for _, part := range []struct {
		kind  byte
		value []byte
	}{
		{keyTraces, appendTraceTable(nil, w.places)},
		{keyIndex, withChecksum(w.index.append(nil))},
		{keyFilters, withChecksum(w.filters)},
		{keyOrigins, withChecksum(w.chunk.encoder.EncodeAll(w.origins.append(nil), nil))},
	} {
		if err := w.set(key(part.kind, w.block), part.value); err != nil {
			return err
		}
	}
	if err := w.set(key(keySummary, w.block), w.sum.append(nil)); err != nil {
		return err
	}
	w.done = append(w.done, w.sum)
	w.sum = nil
	w.block++
	return nil
}

// maxBatch is what one batch may have; Pebble's own limit is 4 GiB.
const maxBatch = 2 << 30

func (w *blockWriter) set(key, value []byte) error {
	if w.batch.Len()+len(key)+len(value) > maxBatch {
		return fmt.Errorf("segment: it takes more than %d bytes", maxBatch)
	}
	if w.sum != nil {
		w.sum.bytes += int64(len(key) + len(value))
	}
	return w.batch.Set(key, value, nil)
}
