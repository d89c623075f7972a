package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/buffer"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Ingest takes an ExportTraceServiceRequest. When it returns without an error, the spans are durable, or counted if only
// statistics are kept, and queries see them. The result says what of it was refused.
//
// The error wraps otlp.ErrMalformed if the request cannot be read, and otlp.ErrOverloaded if there is no room for it now;
// any other is the store's. Nothing of the request was taken then.
//
// Nothing refers to the bytes then. They are the pipeline's own nevertheless: see Config.Recycle.
func (p *Pipeline) Ingest(ctx context.Context, request []byte) (otlp.Result, error) {
	p.closing.RLock()
	defer p.closing.RUnlock()
	if p.closed.Load() {
		return otlp.Result{}, ErrClosed
	}
	r := p.readers.take(p)
	defer p.readers.give(r)
	result, err := r.first(request)
	if err != nil {
		p.counts.malformed.Add(1)
		return otlp.Result{}, err
	}
	if len(r.spans) > 0 {
		if err := p.accept(ctx, r); err != nil {
			return otlp.Result{}, err
		}
	}
	p.counts.requests.Add(1)
	p.counts.rejected.Add(uint64(result.Rejected))
	p.counts.faults.add(r.reasons)
	if p.config.Recycle != nil {
		p.config.Recycle(request)
	}
	return result, nil
}

// accept makes the spans durable and pending.
func (p *Pipeline) accept(ctx context.Context, r *reader) error {
	if p.config.StatisticsOnly {
		r.weigh()
		if err := p.reserve(r.bytes); err != nil {
			return err
		}
	} else if err := p.log(ctx, r); err != nil {
		return err
	}
	p.add(r)
	return nil
}

// log writes the request to the log, and keeps it for as long as spans of it are pending.
func (p *Pipeline) log(ctx context.Context, r *reader) error {
	if used := p.counts.used.Load(); used > p.config.Memory {
		return p.overloaded(used) // before anything is done for it
	}
	packed, err := pack(r.request)
	if err != nil {
		return p.refuse(err)
	}
	defer buffer.Put(packed)
	q := newRequest(packed, len(r.request), r.all)
	cost := q.cost(len(r.spans))
	if err := p.reserve(cost); err != nil {
		return err
	}
	if q.seq, err = p.config.Store.Append(ctx, packed); err != nil {
		p.counts.used.Add(-cost)
		return p.refuse(err)
	}
	q.entry = bytes.Clone(packed)
	r.keep(q)
	return nil
}

// reserve takes a part of the memory, or returns an error if there is no room.
func (p *Pipeline) reserve(bytes int64) error {
	used := p.counts.used.Add(bytes)
	if used > p.config.Memory {
		return p.overloaded(p.counts.used.Add(-bytes))
	}
	if used > p.plenty() {
		p.hurryUp()
	}
	return nil
}

func (p *Pipeline) overloaded(used int64) error {
	p.counts.overloaded.Add(1)
	p.hurryUp()
	return fmt.Errorf("%w: %d of %d bytes are waiting for the store", otlp.ErrOverloaded, used, p.config.Memory)
}

func (p *Pipeline) refuse(err error) error {
	if errors.Is(err, store.ErrFull) {
		p.counts.overloaded.Add(1)
		return fmt.Errorf("%w: %w", otlp.ErrOverloaded, err)
	}
	p.counts.failed.Add(1)
	return fmt.Errorf("writing the log: %w", err)
}

// plenty is how much memory may be in use before traces are filed earlier than usual.
func (p *Pipeline) plenty() int64 { return p.config.Memory / 4 * 3 }

// hurryUp makes the filer look whether memory is short, or a trace is full.
func (p *Pipeline) hurryUp() {
	select {
	case p.hurry <- struct{}{}:
	default:
	}
}

// add puts the spans to those of their traces. Each shard is locked once.
func (p *Pipeline) add(r *reader) {
	p.counts.received.Add(uint64(len(r.spans)))
	p.counts.pending.Add(r.bytes)
	r.deal()
	now := p.now()
	full := false
	for i := range p.shards {
		if r.dealt[i].first >= 0 {
			full = p.shards[i].addAll(r, r.dealt[i].first, now, &p.config) || full
		}
	}
	if full {
		p.hurryUp()
	}
}

func (p *Pipeline) shard(id *core.TraceID) *shard { return &p.shards[mixID(id)%shardCount] }
