package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Live reads everything that was acknowledged: in the store, in segments on the way there, and in traces that are pending.
// Each answer is of one moment. It implements store.Reader and, by the store, store.Snapshots. All methods may be called
// concurrently.
//
// Spans of pending traces are counted in their blocks as core.Block.Pending, with what is known of their self times and
// their shares in critical paths so far; they are not in the call tree yet.
type Live struct {
	store.Snapshots
	p *Pipeline
}

var (
	_ store.Reader    = (*Live)(nil)
	_ store.Snapshots = (*Live)(nil)
)

// Live returns the reader of the pipeline.
func (p *Pipeline) Live() *Live { return &Live{p.config.Store, p} }

// read returns a reader of what was committed when look was called, and look sees the segments and the pending traces
// that are not in it. The reader must be released.
func (l *Live) read(look func(segments []*segment)) (committed store.Reader, release func()) {
	p := l.p
	viewer, ok := p.config.Store.(store.Viewer)
	if !ok {
		p.gate.RLock()
		p.cut.Lock()
		defer p.cut.Unlock()
		look(append(slices.Clip(p.waiting), p.open))
		return p.config.Store, p.gate.RUnlock
	}
	p.cut.Lock()
	defer p.cut.Unlock()
	view := viewer.View()
	segments := append(slices.Clip(p.waiting), p.open)
	for len(segments) > 0 && segments[0].number <= view.Commits()-p.commitsBefore {
		segments = segments[1:]
	}
	look(segments)
	return view, view.Close
}

// pending calls f for every pending trace. The caller holds the cut.
func (p *Pipeline) pending(f func(*trace)) {
	for i := range p.shards {
		sh := &p.shards[i]
		sh.mu.Lock()
		for t := range sh.all {
			f(t)
		}
		sh.mu.Unlock()
	}
}

// each calls f for all traces that are not in the store.
func (p *Pipeline) each(segments []*segment, f func(*trace)) {
	for _, g := range segments {
		for _, t := range g.traces {
			f(t)
		}
	}
	p.pending(f)
}

// Services implements store.Reader.
func (l *Live) Services(ctx context.Context) ([]string, error) {
	if l.p.config.StatisticsOnly {
		return l.countedServices(ctx)
	}
	names := map[string]struct{}{}
	committed, release, err := l.readSites(func(s *core.Site) { names[s.Service] = struct{}{} })
	if err != nil {
		return nil, err
	}
	defer release()
	stored, err := committed.Services(ctx)
	if err != nil {
		return nil, err
	}
	for name := range names {
		stored = append(stored, name)
	}
	slices.Sort(stored)
	return slices.Compact(stored), nil
}

// Operations implements store.Reader.
func (l *Live) Operations(ctx context.Context, service string) ([]store.Operation, error) {
	if l.p.config.StatisticsOnly {
		return l.countedOperations(ctx, service)
	}
	all := map[store.Operation]struct{}{}
	committed, release, err := l.readSites(func(s *core.Site) {
		if service == "" || s.Service == service {
			all[store.Operation{Service: s.Service, Name: s.Name, Kind: s.Kind}] = struct{}{}
		}
	})
	if err != nil {
		return nil, err
	}
	defer release()
	stored, err := committed.Operations(ctx, service)
	if err != nil {
		return nil, err
	}
	for operation := range all {
		stored = append(stored, operation)
	}
	slices.SortFunc(stored, store.Operation.Compare)
	return slices.Compact(stored), nil
}

// readSites is read, and calls f for the sites of all spans that are not in the store, at least once.
func (l *Live) readSites(f func(*core.Site)) (committed store.Reader, release func(), err error) {
	seen := map[*site]struct{}{}
	var over []rawSpan
	committed, release = l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			for s := range t.all {
				if s.site.overflow && s.request != nil {
					over = append(over, s.raw(t.id))
				} else {
					seen[s.site] = struct{}{}
				}
			}
		})
	})
	for s := range seen {
		f(&s.Site)
	}
	var read otlp.Span
	err = eachRaw(over, func(i int, raw []byte) error {
		if err := read.Read(raw); err != nil {
			return err
		}
		f(&core.Site{Service: over[i].origin.Service, Name: string(read.Name), Kind: read.Kind})
		return nil
	})
	if err != nil {
		release()
		return nil, nil, err
	}
	return committed, release, nil
}

// Size implements store.Reader.
func (l *Live) Size(ctx context.Context) (store.Size, error) {
	if l.p.config.StatisticsOnly {
		return l.countedSize(ctx)
	}
	var spans, traces int64
	var oldest, newest int64
	committed, release := l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			traces++
			for s := range t.all {
				if spans == 0 {
					oldest, newest = s.start, s.end()
				}
				oldest, newest = min(oldest, s.start), max(newest, s.end())
				spans++
			}
		})
	})
	defer release()
	size, err := committed.Size(ctx)
	if err != nil || spans == 0 {
		return size, err
	}
	size.Spans += spans
	size.Traces += traces
	if from := time.Unix(0, oldest); size.Oldest.IsZero() || from.Before(size.Oldest) {
		size.Oldest = from
	}
	if to := time.Unix(0, newest); to.After(size.Newest) {
		size.Newest = to
	}
	return size, nil
}
