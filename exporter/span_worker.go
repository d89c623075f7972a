package exporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exportCall is one call of ExportSpans.
type exportCall struct {
	spans []sdktrace.ReadOnlySpan
	// settled: the spans are counted as exported or lost. It is set before the call returns when that takes too long.
	settled bool
}

var (
	errExportTimeout  = errors.New("the export timeout is over")
	errExporterExited = errors.New("the exporter ended its goroutine")
	errNotInTime      = errors.New("exporting spans: the export ended after it had been given up")
)

// work is the processor's goroutine.
func (p *SpanProcessor) work() {
	ending := false
	defer func() {
		if !ending { // the exporter called runtime.Goexit, as the FailNow of a test does
			p.notify()
			go p.work()
		}
	}()
	batch := make([]sdktrace.ReadOnlySpan, 0, p.config.batchSize)
	ticker := time.NewTicker(p.config.batchDelay)
	defer ticker.Stop()
	for {
		due := false
		select {
		case <-p.wake:
		case <-ticker.C:
			due = true
		}
		if last, err := p.pass(batch, due); last {
			ending = true
			p.end(err)
			return
		}
	}
}

// pass exports the full batches, or everything if that is due, asked for by a flush, or the last chance.
func (p *SpanProcessor) pass(batch []sdktrace.ReadOnlySpan, due bool) (last bool, err error) {
	p.mu.Lock()
	r := p.round
	p.round = nil
	last = p.shutdown != nil
	p.mu.Unlock()
	if r != nil {
		r.err = errExporterExited // stays if the exporter ends this goroutine
		defer close(r.done)
	}
	everything := due || last || r != nil
	if everything {
		p.enqueueExemplars()
	}
	err = p.drain(batch, everything)
	if r != nil {
		r.err = err
	}
	return last, err
}

// drain exports what is queued at the time of the call, in batches of at most cap(batch), and returns the first error.
// Unless everything is wanted it leaves spans that do not fill a batch.
func (p *SpanProcessor) drain(batch []sdktrace.ReadOnlySpan, everything bool) (first error) {
	p.mu.Lock()
	until := p.queue.pushed
	p.mu.Unlock()
	for {
		c := p.next(batch, until, everything)
		if c == nil {
			return first
		}
		if err := p.export(c); err != nil && first == nil {
			first = err
		}
	}
}

// next takes the next batch from the queue, nil if there is none. It never goes beyond the mark until if everything is
// wanted, so that a flush has an end, and waits for full batches otherwise.
func (p *SpanProcessor) next(batch []sdktrace.ReadOnlySpan, until uint64, everything bool) *exportCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !everything {
		if p.queue.len() < cap(batch) {
			return nil
		}
		until = p.queue.pushed
	}
	batch = p.queue.take(batch[:0], until)
	if len(batch) == 0 {
		return nil
	}
	p.releaseRoom()
	p.call = &exportCall{spans: batch}
	return p.call
}

// export calls the exporter, and sees to it that the spans are counted exactly once: when the call returns, or when
// its time is over and it has not.
func (p *SpanProcessor) export(c *exportCall) (err error) {
	ctx, cancel := context.WithTimeoutCause(p.exports, p.config.exportTimeout, errExportTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { p.settleLate(ctx, c) })
	reason, err := lostPanicked, errExporterExited
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the exporter panicked: %v", r)
		}
		stop()
		err = p.settle(c, reason, err)
	}()
	err = p.exporter.ExportSpans(ctx, c.spans)
	reason = lostFailed
	if deadline, ok := ctx.Deadline(); err != nil && ok && !time.Now().Before(deadline) {
		<-ctx.Done() // the backend keeps the same deadline, and can be earlier than our timer
	}
	if err != nil && ctx.Err() != nil {
		reason, err = lateReason(ctx), fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// lateReason tells why the context of an export ended.
func lateReason(ctx context.Context) lossReason {
	if errors.Is(context.Cause(ctx), errGivenUp) {
		return lostShutDown
	}
	return lostTimedOut
}

// settleLate counts the spans of an export that has not returned though its context ended.
func (p *SpanProcessor) settleLate(ctx context.Context, c *exportCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.settled {
		c.settled = true
		p.lose(lateReason(ctx), uint64(len(c.spans)), context.Cause(ctx))
	}
}

// settle counts the spans of an export that returned, and returns its error if spans were lost.
func (p *SpanProcessor) settle(c *exportCall, reason lossReason, err error) error {
	n := uint64(len(c.spans))
	clear(c.spans)
	var lost uint64
	if err != nil {
		err = fmt.Errorf("exporting spans: %w", err)
		lost = n
		if rejected, ok := rejectedSpans(err); ok {
			reason, lost = lostRejected, min(rejected, n)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call = nil
	if c.settled {
		p.stats.Late += n - lost
		return cmp.Or(err, errNotInTime)
	}
	c.settled = true
	p.stats.Exported += n - lost
	p.lose(reason, lost, err)
	if lost == 0 {
		return nil
	}
	return err
}

// end shuts the exporter down and tells everyone. err is that of the last exports.
func (p *SpanProcessor) end(err error) {
	p.endErr = err
	defer close(p.ended)
	defer p.giveUp(nil)
	defer p.reportLoss()
	defer func() {
		if r := recover(); r != nil {
			p.endErr = errors.Join(err, fmt.Errorf("shutting down the exporter: it panicked: %v", r))
		}
	}()
	if stopErr := p.exporter.Shutdown(p.shutdown); stopErr != nil {
		p.endErr = errors.Join(err, fmt.Errorf("shutting down the exporter: %w", stopErr))
	}
}
