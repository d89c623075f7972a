package exporter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// TracksScope is the name of the instrumentation scope that the spans of a [Tracks] belong to.
const TracksScope = "github.com/stichotrope/stichotrope-go/exporter"

// maxRequest bounds the encoded size of one upload in bytes. Receivers of gRPC refuse more than 4 MiB unless told
// otherwise.
const maxRequest = 3 << 20

// report delivers the window that ends now.
func (t *Tracks) report(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, t.config.timeout, fmt.Errorf("no answer after %v: %w", t.config.timeout, context.DeadlineExceeded))
	defer cancel()
	defer context.AfterFunc(t.life, cancel)()

	err := recovering(func() error { return t.deliver(ctx) })
	if err != nil {
		t.failures.Add(1)
		t.windows.undelivered++
		return fmt.Errorf("tracks: report: %w", err)
	}
	return nil
}

func (t *Tracks) deliver(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s := t.src.Snapshot()
	if s == nil {
		s = &core.Snapshot{}
	}
	w := t.windows.next(s)
	if w.isEmpty() {
		t.idle.Add(1)
		t.windows.delivered(s)
		return nil
	}
	w.unsampledLinks, w.detailed = t.config.unsampledLinks, t.config.maxDetailed
	w.profile, w.folded = fold(w.profile, t.config.maxNodes)
	spans, sizes := encodeWindow(w, t.newTraceID(), t.newSpanIDs())
	if err := t.upload(ctx, spans, sizes); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return errors.Join(err, cause)
		}
		return err
	}
	t.windows.delivered(s)
	t.reports.Add(1)
	if w.restarted != "" {
		t.restarts.Add(1)
	}
	return nil
}

// upload sends the spans in requests of a size that every receiver takes. The window's span, which is the first, goes
// last: a reader that finds it knows by attrSpans whether something is missing.
func (t *Tracks) upload(ctx context.Context, spans []*tracepb.Span, sizes []int) error {
	begin, size := 1, sizes[0]
	for i := 1; i < len(spans); i++ {
		if size += sizes[i]; size > maxRequest && i > begin {
			if err := t.send(ctx, spans[begin:i]); err != nil {
				return err
			}
			begin, size = i, sizes[0]+sizes[i]
		}
	}
	return t.send(ctx, append(spans[begin:len(spans):len(spans)], spans[0]))
}

// send uploads one request. A backend that rejects spans of it has not got the report; its warnings are passed on.
func (t *Tracks) send(ctx context.Context, spans []*tracepb.Span) error {
	err := t.client.UploadTraces(ctx, []*tracepb.ResourceSpans{{
		Resource:   t.resource,
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: TracksScope}, Spans: spans}},
	}})
	if err == nil {
		return nil
	}
	if rejected, partial := rejectedSpans(err); partial && rejected == 0 {
		t.tell(fmt.Errorf("tracks: the backend warns: %w", err))
		return nil
	}
	return err
}

func (t *Tracks) newTraceID() (id core.TraceID) {
	binary.BigEndian.PutUint64(id[:8], t.random())
	binary.BigEndian.PutUint64(id[8:], t.random()|1) // never all zeros
	return id
}

// newSpanIDs returns the first of many successive ids. None of them is 0, because the first is below 2^63 and not 0.
func (t *Tracks) newSpanIDs() uint64 { return t.random()>>1 | 1 }

func (t *Tracks) random() uint64 {
	if t.config.ids != nil {
		return t.config.ids.Uint64()
	}
	return rand.Uint64()
}
