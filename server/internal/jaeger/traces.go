package jaeger

import (
	"context"
	"iter"
	"slices"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// decoded is a trace as it is shown over HTTP.
type decoded struct {
	id   core.TraceID
	data ptrace.Traces
}

// read decodes traces. It fails with errTooLarge when they have more bytes than an answer may.
func (h *Handler) read(ctx context.Context, ids []core.TraceID, within store.Range, raw bool) ([]decoded, error) {
	var all []decoded
	var size int
	err := h.Engine.Traces(ctx, ids, within, func(origins []store.Origin, t store.Trace) error {
		spans := t.Spans
		if !raw {
			spans = query.Deduplicate(spans)
		}
		b := query.AppendTraces(nil, named(origins, spans), spans)
		if size += len(b); size > h.MaxBytes {
			return errTooLarge
		}
		data, err := otlp.Decode(b)
		all = append(all, decoded{t.ID, data})
		return err
	})
	return all, err
}

// chunkBytes is the size from which on a trace is sent in parts: gRPC's clients take 4 MiB unless told otherwise.
const chunkBytes = 1 << 20

// chunks divides the spans of a trace into parts of some bytes, never empty.
func chunks(origins []store.Origin, spans []store.Span, most int) iter.Seq[[]store.Span] {
	return func(yield func([]store.Span) bool) {
		size, from := 0, 0
		var seen []int
		for i, s := range spans {
			own := len(s.Raw)
			if !slices.Contains(seen, s.Origin) {
				own += len(origins[s.Origin].Resource) + len(origins[s.Origin].Scope)
			}
			if i > from && size+own > most {
				if !yield(spans[from:i]) {
					return
				}
				size, from, seen = 0, i, nil
				own = len(s.Raw) + len(origins[s.Origin].Resource) + len(origins[s.Origin].Scope)
			}
			if !slices.Contains(seen, s.Origin) {
				seen = append(seen, s.Origin)
			}
			size += own
		}
		if from < len(spans) {
			yield(spans[from:])
		}
	}
}
