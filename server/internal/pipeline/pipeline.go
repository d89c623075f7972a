package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Pipeline is described in the package's documentation. Make one with [Open], and close it.
type Pipeline struct {
	config Config
	began  time.Time
	sites  *sites
	counts counts

	readers readers
	origins origins
	shards  [shardCount]shard

	// closing is held for reading by every Ingest, so that Close knows that there is none.
	closing sync.RWMutex
	closed  atomic.Bool
	// commitsBefore is how many commits the store had when the pipeline was opened; see store.View.
	commitsBefore uint64
	// stop ends the goroutines, abort also what they wait for.
	stop  chan struct{}
	abort context.CancelFunc
	done  sync.WaitGroup
	// hurry asks the filer to look at once.
	hurry chan struct{}
	// closedSegments are for the committer; there is room for few, so that a slow store is felt.
	closedSegments chan *segment

	// gate is closed while a segment is committed to a store that cannot be read as of one moment; see Live.
	gate sync.RWMutex
	// cut guards the way of traces from pending to committed: who holds it sees every span in exactly one place. It is
	// never held during input or output.
	cut sync.Mutex
	// What follows is guarded by cut. open is the segment that traces are filed in, waiting are those that are closed but
	// not committed, in order.
	open      *segment
	waiting   []*segment
	recent    *recent
	makers    counters
	flat      counters // without a call tree
	assembler assembler
}

const shardCount = 16

// maxWaiting is how many segments wait for the store at most. The open one grows meanwhile, until it is large.
const maxWaiting = 2

// Open starts a pipeline, and reads what the store has in its log.
func Open(ctx context.Context, c Config) (*Pipeline, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	p := &Pipeline{
		config: c, began: time.Now(), sites: newSites(c.MaxSites), recent: newRecent(c.Remember),
		stop: make(chan struct{}), hurry: make(chan struct{}, 1), closedSegments: make(chan *segment, maxWaiting),
	}
	p.assembler.MaxSkew = c.MaxSkew
	p.makers.config.Limits = c.limits()
	if _, err := core.New(p.makers.config); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	p.flat.config = p.makers.config
	p.flat.config.NoTree = true
	for i := range p.shards {
		p.shards[i].init()
	}
	p.open = p.newSegment(1)
	if viewer, ok := c.Store.(store.Viewer); ok {
		view := viewer.View()
		p.commitsBefore = view.Commits()
		view.Close()
	}
	if !c.StatisticsOnly {
		if err := p.replay(ctx); err != nil {
			return nil, fmt.Errorf("pipeline: reading the log: %w", err)
		}
	}
	background, abort := context.WithCancel(context.Background())
	p.abort = abort
	p.done.Go(func() { p.fileAll(background.Done()); close(p.closedSegments) })
	p.done.Go(func() { p.commitAll(background) })
	return p, nil
}

// now is the time since the pipeline was opened.
func (p *Pipeline) now() time.Duration { return time.Since(p.began) }

func (p *Pipeline) newSegment(number uint64) *segment {
	return &segment{number: number, tally: tally{makers: &p.makers}, withheld: tally{makers: &p.flat}}
}

// Close refuses further requests, files all traces and commits them. When the context ends before that is done, it gives
// up and says so: what is not committed stays in the log. Only the first call does anything.
func (p *Pipeline) Close(ctx context.Context) error {
	p.closing.Lock()
	first := p.closed.CompareAndSwap(false, true)
	p.closing.Unlock()
	if !first {
		return nil
	}
	stop := context.AfterFunc(ctx, p.abort)
	defer stop()
	close(p.stop)
	p.done.Wait()
	p.abort()
	p.cut.Lock()
	defer p.cut.Unlock()
	if left := p.spansLeft(); left > 0 {
		return fmt.Errorf("closing the pipeline: %d spans are not committed: %w", left, context.Cause(ctx))
	}
	return nil
}

// replay puts what is in no segment back to where it was.
func (p *Pipeline) replay(ctx context.Context) error {
	var unpacked []byte
	return p.config.Store.Replay(ctx, func(seq uint64, packed []byte, consumed store.Bits) error {
		r := p.readers.take(p)
		defer p.readers.give(r)
		var err error
		if unpacked, err = entry(packed).unpack(unpacked); err != nil {
			return err
		}
		if err := r.again(unpacked, consumed); err != nil {
			return fmt.Errorf("entry %d: %w", seq, err)
		}
		p.counts.replayed.Add(uint64(len(r.spans)))
		q := newRequest(bytes.Clone(packed), len(unpacked), r.all)
		q.seq, q.consumed = seq, bytes.Clone(consumed) // nil if there is none
		r.keep(q)
		p.counts.used.Add(q.free)
		p.add(r)
		return nil
	})
}
