package pipeline

import (
	"context"
	"time"
)

// retainEvery is how often the store is asked to forget what is too old or too much.
const retainEvery = time.Minute

// commitAll commits segments, one after the other, until there will be no more.
func (p *Pipeline) commitAll(ctx context.Context) {
	var w writer
	ticker := time.NewTicker(retainEvery)
	defer ticker.Stop()
	for {
		select {
		case g, ok := <-p.closedSegments:
			if !ok {
				return
			}
			if p.commit(ctx, &w, g) { // if not, what is left stays in the log
				p.forget(g, &w)
			}
		case <-ticker.C:
			p.retain(ctx)
		}
	}
}

// retain lets the store forget.
func (p *Pipeline) retain(ctx context.Context) {
	if p.config.Retention == 0 && p.config.RetentionBytes == 0 {
		return
	}
	var before time.Time
	if p.config.Retention > 0 {
		before = time.Now().Add(-p.config.Retention)
	}
	if err := p.config.Store.Retain(ctx, before, p.config.RetentionBytes); err != nil && ctx.Err() == nil {
		p.counts.retainErrors.Add(1)
		p.config.Log.Error("The store failed to forget what is too old. It will be asked again.", "error", err)
	}
}

// The waits after failing commits: each is twice as long as the one before.
const (
	firstWait = 100 * time.Millisecond
	longWait  = 5 * time.Second
)

// commit tries until the segment is committed, and reports false if the context ended first.
func (p *Pipeline) commit(ctx context.Context, w *writer, g *segment) bool {
	w.list(g)
	filled := false
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		var err error
		if !filled {
			err = w.fill()
			filled = err == nil
		}
		if filled {
			err = p.tryCommit(ctx, func() error { return p.config.Store.Commit(ctx, &w.segment) })
		}
		if err == nil {
			return true
		}
		p.counts.commitErrors.Add(1)
		p.config.Log.Error("The store failed to commit a segment. Nothing is lost; trying again.",
			"error", err, "spans", g.spans, "wait", wait)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// tryCommit lets no query see the segment both in the store and in memory.
func (p *Pipeline) tryCommit(ctx context.Context, commit func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.gate.Lock()
	defer p.gate.Unlock()
	if err := commit(); err != nil {
		return err
	}
	p.counts.commits.Add(1)
	p.cut.Lock()
	defer p.cut.Unlock()
	p.waiting = p.waiting[1:]
	return nil
}

// forget lets go of what is committed.
func (p *Pipeline) forget(g *segment, w *writer) {
	g.memory.empty()
	p.cut.Lock()
	p.open.memory.free = append(p.open.memory.free, g.memory.free...)
	p.cut.Unlock()
	p.counts.used.Add(-w.forget())
	p.hurryUp() // there may be a segment to close
	for _, t := range g.traces {
		p.shard(&t.id).recycle(t)
	}
}
