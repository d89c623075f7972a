package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// outbox sends parcels to ClickHouse, one after the other, from a goroutine of its own.
type outbox struct {
	s *Store

	// gate is held by readers for reading, and while a parcel is sent: for a reader it is in ClickHouse or here.
	gate sync.RWMutex
	// commits is how many there were since the store was opened, views how many views are open that show so many of them; left
	// is closed when one is closed. They are guarded by mu.
	commits uint64
	views   map[uint64]int
	left    chan struct{}

	mu sync.Mutex
	// queue are the parcels that wait, in order.
	queue []*queued
	// cached is how many bytes the bodies of those take that are in memory.
	cached int64
	// free is memory for parcels.
	free []*parcelMemory
	// unsure says that the first one may be in ClickHouse already, or a part of it.
	unsure bool
	// failure is why the last attempt failed, nil if it did not. attempted is closed when there is another one.
	failure   error
	attempted chan struct{}
	counts    Counters

	// rows are those of the parcel that is being sent.
	rows *spanRows

	wake    chan struct{}
	cancel  context.CancelFunc
	closing chan struct{}
	done    chan struct{}
}

// queued is a parcel that waits.
type queued struct {
	number uint64
	// commit says which commit it came with since the store was opened; 0 if it was before.
	commit uint64
	since  time.Time
	spans  int64
	// parcel is nil if it is on the disk only, memory is what it lies in.
	parcel *parcel
	memory *parcelMemory
	// read says that somebody may still have what was read from the parcel.
	read atomic.Bool
}

const (
	// maxCached is how many bytes of parcels are in memory too, besides the first one.
	maxCached = 32 << 20
	// maxFree is how many parcels' memory is kept for others, each with keepParcel bytes at most.
	maxFree    = 3
	keepParcel = 32 << 20
)

func (o *outbox) open(ctx context.Context, s *Store) error {
	o.s, o.rows = s, newSpanRows()
	o.views, o.left = map[uint64]int{}, make(chan struct{})
	o.attempted, o.wake = make(chan struct{}), make(chan struct{}, 1)
	o.closing, o.done = make(chan struct{}), make(chan struct{})
	for _, number := range s.local.Parcels() {
		m := o.take()
		p, err := o.load(ctx, number, m)
		if errors.Is(err, store.ErrDamaged) {
			o.giveUp(ctx, number, err)
			continue
		}
		if err != nil {
			return err
		}
		s.order = max(s.order, p.order)
		o.put(&queued{number: number, since: time.Unix(0, int64(p.order)), parcel: p, memory: m})
	}
	// It may be that it was sent, and the process ended before it was dropped.
	o.unsure = len(o.queue) > 0
	background, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	o.wake <- struct{}{}
	go o.send(background)
	return nil
}

// close lets what waits be sent for a while.
func (o *outbox) close(patience time.Duration) {
	close(o.closing)
	if patience > 0 {
		select {
		case <-o.done:
		case <-time.After(patience):
		}
	}
	o.cancel()
	<-o.done
}

// load reads a parcel from the disk into memory.
func (o *outbox) load(ctx context.Context, number uint64, m *parcelMemory) (*parcel, error) {
	b, err := o.s.local.Parcel(ctx, number)
	if err != nil {
		return nil, err
	}
	return m.unpack(b)
}

// take returns memory for a parcel.
func (o *outbox) take() *parcelMemory {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.free); n > 0 {
		m := o.free[n-1]
		o.free = o.free[:n-1]
		return m
	}
	return &parcelMemory{}
}

// give takes memory back that nobody refers to. The caller holds mu.
func (o *outbox) give(m *parcelMemory) {
	if len(o.free) < maxFree && cap(m.body) <= keepParcel {
		o.free = append(o.free, m)
	}
}

// add queues a parcel that is on the disk, and in the memory.
func (o *outbox) add(number uint64, m *parcelMemory) {
	p, err := m.read()
	if err != nil {
		o.s.options.Logger.Error("store: a parcel that was just made cannot be read", "error", err)
		return
	}
	o.mu.Lock()
	o.commits++
	o.put(&queued{number: number, commit: o.commits, since: time.Now(), parcel: p, memory: m})
	o.mu.Unlock()
	o.nudge()
}

// addNothing counts a commit without a parcel.
func (o *outbox) addNothing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.commits++
}

func (o *outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// put queues a parcel. The caller holds mu.
func (o *outbox) put(q *queued) {
	q.spans = q.parcel.spans
	if size := q.memory.size(); o.cached+size <= maxCached || len(o.queue) == 0 {
		o.cached += size
	} else {
		o.give(q.memory)
		q.parcel, q.memory = nil, nil
	}
	o.queue = append(o.queue, q)
	o.counts.Waiting++
	o.counts.WaitingSpans += q.spans
}

// first returns what is to be sent next, nil if there is nothing.
func (o *outbox) first() *queued {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return nil
	}
	return o.queue[0]
}

// The waits after failing attempts: each is twice as long as the one before.
const (
	firstWait = 100 * time.Millisecond
	longWait  = 10 * time.Second
)

// send sends until the context ends, or until everything is sent after closing.
func (o *outbox) send(ctx context.Context) {
	defer close(o.done)
	wait := firstWait
	for ctx.Err() == nil {
		q := o.first()
		if q == nil {
			select {
			case <-o.wake:
				continue
			case <-o.closing:
			}
			if o.first() == nil {
				return
			}
			continue
		}
		err := o.sendOne(ctx, q)
		o.note(q, err)
		if err == nil || errors.Is(err, errGivenUp) {
			wait = firstWait
			continue
		}
		if ctx.Err() == nil {
			o.s.options.Logger.Error("store: ClickHouse did not take a parcel. Nothing is lost; trying again.", "error", err, "spans", q.spans, "wait", wait)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longWait)
	}
}

// sendOne sends a parcel, and drops it when ClickHouse has it.
func (o *outbox) sendOne(ctx context.Context, q *queued) error {
	if err := o.s.prepare(ctx); err != nil {
		return explain(err)
	}
	p := q.parcel
	if p == nil {
		m := o.take()
		defer func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.give(m)
		}()
		var err error
		if p, err = o.load(ctx, q.number, m); err != nil {
			return o.giveUp(ctx, q.number, err)
		}
	}
	if o.rows.large() {
		o.rows = newSpanRows()
	}
	d, err := makeDelivery(p, o.rows)
	if err != nil {
		return o.giveUp(ctx, q.number, err)
	}
	if err := o.s.deliverNames(ctx, d); err != nil {
		return explain(err)
	}
	if err := o.lock(ctx, q); err != nil {
		return err
	}
	defer o.gate.Unlock()
	began, err := o.s.deliver(ctx, d)
	o.mu.Lock()
	o.unsure = err != nil && (began || o.unsure)
	if err == nil {
		o.queue = o.queue[1:]
		if q.parcel != nil {
			o.cached -= q.memory.size()
		}
		if q.parcel != nil && !q.read.Load() {
			o.give(q.memory)
		}
	}
	o.mu.Unlock()
	if err != nil {
		return explain(err)
	}
	// ClickHouse has it: what follows does not matter to readers, and if it fails the parcel is sent again with its token.
	if err := o.s.local.DropParcel(context.WithoutCancel(ctx), q.number); err != nil {
		o.s.options.Logger.Error("store: a parcel that was sent cannot be dropped", "error", err)
	}
	return nil
}

// lock waits until no view is open that must not see the parcel, and for readers.
func (o *outbox) lock(ctx context.Context, q *queued) error {
	for {
		o.gate.Lock()
		o.mu.Lock()
		free, left := true, o.left
		for upTo := range o.views {
			free = free && upTo >= q.commit
		}
		o.mu.Unlock()
		if free {
			return nil
		}
		o.gate.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-left:
		}
	}
}

// leave closes a view.
func (o *outbox) leave(upTo uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.views[upTo]--; o.views[upTo] == 0 {
		delete(o.views, upTo)
	}
	close(o.left)
	o.left = make(chan struct{})
}

// errGivenUp says that a parcel was dropped that could not be read.
var errGivenUp = errors.New("a parcel was given up")

// giveUp drops a parcel that can never be sent.
func (o *outbox) giveUp(ctx context.Context, number uint64, why error) error {
	if !errors.Is(why, store.ErrDamaged) {
		return why
	}
	o.s.options.Logger.Error("store: a parcel cannot be read and is given up", "error", why)
	o.mu.Lock()
	o.counts.Damaged++
	o.queue = slices.DeleteFunc(o.queue, func(q *queued) bool {
		if q.number == number && q.parcel != nil {
			o.cached -= q.memory.size()
		}
		return q.number == number
	})
	o.unsure = false
	o.mu.Unlock()
	if err := o.s.local.DropParcel(ctx, number); err != nil {
		o.s.options.Logger.Error("store: a parcel that was given up cannot be dropped", "error", err)
	}
	return errGivenUp
}

// note tells readers and counters how an attempt went.
func (o *outbox) note(q *queued, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
	close(o.attempted)
	o.attempted = make(chan struct{})
	switch {
	case err == nil:
		o.counts.Sent++
		o.counts.SentSpans += uint64(q.spans)
	case errors.Is(err, errGivenUp):
		o.failure = nil
	default:
		o.counts.Failed++
		return
	}
	o.counts.Waiting--
	o.counts.WaitingSpans -= q.spans
}

func (o *outbox) counters() Counters {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.counts
	if len(o.queue) > 0 {
		c.Oldest = o.queue[0].since
	}
	return c
}

// read returns what is not in ClickHouse of the first commits, in order, and lets nothing be sent until release is called. If it
// is not known what is in ClickHouse, it waits until it is, or until it turns out that this takes longer. The context that it
// returns ends when the query has taken too long, for it holds up what is to be sent.
func (o *outbox) read(ctx context.Context, upTo uint64) (limited context.Context, waiting []*parcel, release func(), err error) {
	for {
		o.gate.RLock()
		o.mu.Lock()
		queue, unsure, attempted := slices.Clone(o.queue), o.unsure, o.attempted
		o.mu.Unlock()
		if !unsure {
			queue = slices.DeleteFunc(queue, func(q *queued) bool { return q.commit > upTo })
			waiting, err := o.parcels(ctx, queue)
			if err != nil {
				o.gate.RUnlock()
				return nil, nil, nil, err
			}
			limited, done := limit(ctx, o.s.options.QueryTime)
			return unhurried{limited}, waiting, func() { done(); o.gate.RUnlock() }, nil
		}
		o.gate.RUnlock()
		if err := o.settle(ctx, attempted); err != nil {
			return nil, nil, nil, err
		}
	}
}

// settle waits for the next attempt.
func (o *outbox) settle(ctx context.Context, attempted <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-attempted:
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unsure && o.failure != nil {
		return fmt.Errorf("it is not known which spans ClickHouse has: %w", o.failure)
	}
	return nil
}

func (o *outbox) parcels(ctx context.Context, queue []*queued) ([]*parcel, error) {
	waiting := make([]*parcel, 0, len(queue))
	for _, q := range queue {
		p := q.parcel
		if q.read.Store(true); p == nil {
			var err error
			if p, err = o.load(ctx, q.number, &parcelMemory{}); err != nil {
				return nil, err
			}
		}
		waiting = append(waiting, p)
	}
	return waiting, nil
}

// flush waits until everything is sent that waits now.
func (o *outbox) flush(ctx context.Context) error {
	o.mu.Lock()
	var last uint64
	if n := len(o.queue); n > 0 {
		last = o.queue[n-1].number
	}
	failure := o.failure
	o.mu.Unlock()
	if failure != nil {
		return failure // it will be a while until the next attempt
	}
	for {
		o.mu.Lock()
		left := len(o.queue) > 0 && o.queue[0].number <= last
		attempted := o.attempted
		o.mu.Unlock()
		if !left {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.done:
			return store.ErrClosed
		case <-attempted:
		}
		o.mu.Lock()
		failure = o.failure
		o.mu.Unlock()
		if failure != nil {
			return failure
		}
	}
}
