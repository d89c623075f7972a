package exporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// SpanProcessor hands the spans that end to a [sdktrace.SpanExporter], in batches and in the order they ended. It
// takes the place of the SDK's batch processor where loss must be known: every span that was to be exported and was
// not is counted, by reason.
//
// # What it promises
//
// Ending a span never waits for the exporter, unless [WithBlockOnFull] asks for it, and allocates nothing. An
// exporter that fails, panics or hangs loses spans, and hurts nothing else. ForceFlush and Shutdown return when
// their context ends, whatever the exporter does.
//
// There is one goroutine, from [NewSpanProcessor] to the end of Shutdown, and it alone calls the exporter: two
// calls of it never overlap. That holds for an export that was given up too: the exporter may ignore its context
// and hang on, so nothing more is exported before that call returns. Meanwhile the queue fills up, and what does not
// fit is counted. When the call returns, be it after Shutdown, the goroutine goes on, or closes the exporter and ends.
//
// All methods may be called from any goroutine at any time.
type SpanProcessor struct {
	exporter sdktrace.SpanExporter
	config   spanConfig
	held     *heldSpans // nil without WithExemplars

	// exports is the parent of the context of every export. It is cancelled when Shutdown gives up.
	exports context.Context
	giveUp  context.CancelCauseFunc
	// wake tells the worker that there is a full batch, a flush or the end.
	wake chan struct{}
	// ended is closed by the worker as the last thing it does; endErr may be read from then on.
	ended  chan struct{}
	endErr error

	mu    sync.Mutex
	queue spanQueue
	call  *exportCall // the export under way
	// round is the flush that the worker has not begun yet.
	round *flushRound
	// room is closed when the queue has room again or will not get any; nil if nobody waits for that.
	room chan struct{}
	// shutdown is the context of the first call of Shutdown, nil before.
	shutdown context.Context
	stats    SpanStats
	report   lossReport
}

var _ sdktrace.SpanProcessor = (*SpanProcessor)(nil)

// flushRound is one pass over all that is queued, on behalf of the callers of ForceFlush that wait for done.
type flushRound struct {
	done chan struct{}
	err  error // may be read once done is closed
}

var (
	errNoExporter = errors.New("there is no span exporter")
	errNoDeadline = errors.New("the export timeout, which limits a call without a deadline, is over")
	errGivenUp    = errors.New("the span processor was shut down before the export ended")
)

// NewSpanProcessor returns a processor that exports to exp, for [sdktrace.WithSpanProcessor]. exp must be started if
// it needs to be, and belongs to the processor from now on: Shutdown closes it. With a nil exp every span is lost, and
// reported so. A bad option is reported to the OpenTelemetry error handler and left out.
//
// Settings come from the options, then the variables OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
// OTEL_BSP_SCHEDULE_DELAY and OTEL_BSP_EXPORT_TIMEOUT (in milliseconds), then OpenTelemetry's defaults.
func NewSpanProcessor(exp sdktrace.SpanExporter, opts ...SpanOption) *SpanProcessor {
	if exp == nil {
		exp = noExporter{}
	}
	c := newSpanConfig(opts)
	p := &SpanProcessor{
		exporter: exp,
		config:   c,
		wake:     make(chan struct{}, 1),
		ended:    make(chan struct{}),
		queue:    newSpanQueue(c.queueSize),
	}
	if c.exemplars != nil {
		p.held = newHeldSpans(c.exemplars)
	}
	p.exports, p.giveUp = context.WithCancelCause(context.Background())
	p.publish()
	go p.work()
	return p
}

// OnStart does nothing.
func (*SpanProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd queues a span if it is sampled or to be kept. After Shutdown it only counts it as lost.
func (p *SpanProcessor) OnEnd(s sdktrace.ReadOnlySpan) {
	sampled := s.SpanContext().IsSampled()
	if !sampled && !p.keeps(s) {
		return
	}
	p.mu.Lock()
	if p.config.maxBlock > 0 && p.queue.full() {
		p.awaitRoom()
	}
	full := p.enqueue(s, !sampled, p.shutdown != nil)
	p.mu.Unlock()
	if full {
		p.notify()
	}
}

// enqueue queues or counts a span, and reports whether that made a full batch. p.mu must be held.
func (p *SpanProcessor) enqueue(s sdktrace.ReadOnlySpan, kept, closed bool) bool {
	p.stats.Received++
	if kept {
		p.stats.Kept++
	}
	switch {
	case closed:
		p.stats.Lost.ShutDown++
		return false
	case p.queue.full():
		p.lose(lostQueueFull, 1, nil)
		return false
	}
	p.queue.push(s)
	return p.queue.len() == p.config.batchSize
}

// awaitRoom waits until the queue has room, at most as long as the option says. p.mu must be held, and is released
// while waiting.
func (p *SpanProcessor) awaitRoom() {
	timer := time.NewTimer(p.config.maxBlock)
	defer timer.Stop()
	for expired := false; !expired && p.queue.full() && p.shutdown == nil; {
		if p.room == nil {
			p.room = make(chan struct{})
		}
		room := p.room
		p.mu.Unlock()
		select {
		case <-room:
		case <-timer.C:
			expired = true
		}
		p.mu.Lock()
	}
}

// releaseRoom wakes who waits for room. p.mu must be held.
func (p *SpanProcessor) releaseRoom() {
	if p.room != nil {
		close(p.room)
		p.room = nil
	}
}

// notify wakes the worker, now or when it next looks.
func (p *SpanProcessor) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// ForceFlush exports all spans that ended before the call, and returns when that is done or ctx ends, which stops
// the waiting but not the export. Without a deadline of its own, ctx gets one: the export timeout. The error says
// that it was too late, or is that of an export: then spans were lost. After Shutdown it does nothing.
func (p *SpanProcessor) ForceFlush(ctx context.Context) error {
	ctx, cancel := p.withDeadline(ctx)
	defer cancel()
	if ctx.Err() != nil {
		return fmt.Errorf("flushing spans: %w", context.Cause(ctx))
	}
	p.mu.Lock()
	if p.shutdown != nil {
		p.mu.Unlock()
		return nil
	}
	if p.round == nil {
		p.round = &flushRound{done: make(chan struct{})}
	}
	r := p.round
	p.mu.Unlock()
	p.notify()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("flushing spans: %w", context.Cause(ctx))
	}
}

// Shutdown exports what is queued and shuts the exporter down. When ctx ends before that is done, the export under
// way is cancelled and no longer waited for, and all spans not exported are counted as lost. Without a deadline of
// its own, ctx gets one: the export timeout. The error says how many spans Shutdown gave up, or is that of the last
// exports or of the exporter's Shutdown.
//
// Only the first call does this. Others wait for the same end, or that of their own context, and return nil after
// Shutdown has ended.
func (p *SpanProcessor) Shutdown(ctx context.Context) error {
	ctx, cancel := p.withDeadline(ctx)
	defer cancel()
	p.mu.Lock()
	first := p.shutdown == nil
	if first {
		p.shutdown = ctx
		p.releaseRoom()
	}
	p.mu.Unlock()
	if !first {
		return p.awaitEnd(ctx)
	}
	p.notify()
	select {
	case <-p.ended:
		return p.endErr
	case <-ctx.Done():
		lost := p.abandonAll()
		return fmt.Errorf("shutting down the span processor: %w; %d spans lost", context.Cause(ctx), lost)
	}
}

// awaitEnd waits for the end of a Shutdown that another call began.
func (p *SpanProcessor) awaitEnd(ctx context.Context) error {
	select {
	case <-p.exports.Done(): // it has ended, or was given up, so that the end may never come
		return nil
	default:
	}
	select {
	case <-p.exports.Done():
		return nil
	case <-ctx.Done():
	}
	return fmt.Errorf("waiting for the shutdown of the span processor: %w", context.Cause(ctx))
}

// abandonAll counts all that is queued or being exported as lost, cancels the export, and returns the number.
func (p *SpanProcessor) abandonAll() uint64 {
	p.mu.Lock()
	lost := uint64(p.queue.clear())
	if c := p.call; c != nil && !c.settled {
		c.settled = true
		lost += uint64(len(c.spans))
	}
	if lost > 0 {
		p.lose(lostShutDown, lost, errGivenUp)
	}
	p.mu.Unlock()
	p.giveUp(errGivenUp)
	return lost
}

// withDeadline bounds a context that has no deadline, so that a hanging exporter cannot hold up the application.
func (p *SpanProcessor) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx == nil {
		ctx = context.Background()
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, p.config.exportTimeout, errNoDeadline)
}

// noExporter takes the place of a nil exporter.
type noExporter struct{}

func (noExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return errNoExporter }
func (noExporter) Shutdown(context.Context) error                             { return nil }
