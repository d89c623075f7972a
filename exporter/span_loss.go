package exporter

import (
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
)

// SpanStats are the counts of a [SpanProcessor] since it was made. At every moment
//
//	Received == Exported + Lost.Total() + Queued + Exporting
//
// Spans that are not sampled and not kept are nobody's loss and not in here.
//
// [WithMeterProvider] publishes them as metrics.
type SpanStats struct {
	// Received is how many spans were to be exported: those sampled and those kept.
	Received uint64
	// Kept is how many of Received were not sampled, but kept by WithKeep or WithExemplars.
	Kept uint64
	// Exported is how many spans the exporter took without an error.
	Exported uint64
	// Lost is how many spans were lost, by reason.
	Lost SpanLoss
	// Late is how many of Lost the exporter took after all, after it had been given up.
	Late uint64
	// Queued is how many spans wait in the queue, Exporting how many the exporter has been given and Capacity how many
	// the queue can hold.
	Queued, Exporting, Capacity uint64
	// Panics is how many panics of the function given to WithKeep, of the Source given to WithExemplars and of the
	// function given to WithLossHandler were recovered. Panics of the exporter show in Lost.
	Panics uint64
}

// SpanLoss counts lost spans by reason.
type SpanLoss struct {
	// QueueFull is how many spans found the queue full.
	QueueFull uint64
	// Failed is how many spans the exporter returned an error for.
	Failed uint64
	// Rejected is how many spans the backend turned down of exports that it took otherwise.
	Rejected uint64
	// TimedOut is how many spans were in exports that took longer than the export timeout.
	TimedOut uint64
	// Panicked is how many spans were in exports that panicked.
	Panicked uint64
	// ShutDown is how many spans were not exported when the time for Shutdown was over, or ended after it had begun.
	ShutDown uint64
}

// Total returns the sum over all reasons.
func (l SpanLoss) Total() uint64 {
	return l.QueueFull + l.Failed + l.Rejected + l.TimedOut + l.Panicked + l.ShutDown
}

// Sub returns the loss since the earlier moment when it was o.
func (l SpanLoss) Sub(o SpanLoss) SpanLoss {
	for r := range lossReasons {
		*l.of(r) -= *o.of(r)
	}
	return l
}

// String returns the total and the reasons, such as "3 spans lost (queue full 1, export failed 2)".
func (l SpanLoss) String() string {
	parts := []string{}
	for r := range lossReasons {
		if n := *l.of(r); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", r, n))
		}
	}
	if len(parts) == 0 {
		return "no spans lost"
	}
	return fmt.Sprintf("%d spans lost (%s)", l.Total(), strings.Join(parts, ", "))
}

// lossReason names a field of SpanLoss.
type lossReason int

const (
	lostQueueFull lossReason = iota
	lostFailed
	lostRejected
	lostTimedOut
	lostPanicked
	lostShutDown
	lossReasons
)

func (r lossReason) String() string {
	return [...]string{"queue full", "export failed", "rejected", "export timed out", "export panicked", "shut down"}[r]
}

func (l *SpanLoss) of(r lossReason) *uint64 {
	return [...]*uint64{&l.QueueFull, &l.Failed, &l.Rejected, &l.TimedOut, &l.Panicked, &l.ShutDown}[r]
}

// Stats returns the current counts.
func (p *SpanProcessor) Stats() SpanStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Queued, s.Capacity = uint64(p.queue.len()), uint64(len(p.queue.slots))
	if c := p.call; c != nil && !c.settled {
		s.Exporting = uint64(len(c.spans))
	}
	return s
}

// Losses are reported by a timer of their own: not from OnEnd, since an error handler writes to a log and may be slow,
// and not by the worker, since that may be hanging in the exporter.
const (
	// lossGather is how long after the first loss it is reported, so that a burst becomes one report.
	lossGather = time.Second
	// lossInterval is how long after a report the next one may follow.
	lossInterval = 10 * time.Second
)

// lossReport is what was reported of SpanStats.Lost and what is to be.
type lossReport struct {
	timer *time.Timer
	// armed: the timer will fire. running: the handler is being called.
	armed, running bool
	last           time.Time // of the latest report
	reported       SpanLoss
	err            error // of the latest export that lost spans since
}

// lose counts lost spans and has them reported, and an error also where it lost none, for a warning of the backend
// comes as one. p.mu must be held.
func (p *SpanProcessor) lose(reason lossReason, n uint64, err error) {
	*p.stats.Lost.of(reason) += n
	if err != nil {
		p.report.err = err
	}
	if n > 0 || err != nil {
		p.armReport()
	}
}

// armReport sets the timer of the next report, if it is not set. p.mu must be held.
func (p *SpanProcessor) armReport() {
	r := &p.report
	if r.armed {
		return
	}
	r.armed = true
	wait := max(lossGather, lossInterval-time.Since(r.last))
	if r.timer == nil {
		r.timer = time.AfterFunc(wait, p.reportLoss)
	} else {
		r.timer.Reset(wait)
	}
}

// reportLoss tells the handler what was lost since it was last told, unless it is being told at the moment.
func (p *SpanProcessor) reportLoss() {
	p.mu.Lock()
	r := &p.report
	loss := p.stats.Lost.Sub(r.reported)
	if r.armed {
		r.timer.Stop()
		r.armed = false
	}
	if r.running || loss.Total() == 0 && r.err == nil {
		p.mu.Unlock()
		return
	}
	err := r.err
	r.err, r.reported, r.running = nil, p.stats.Lost, true
	p.mu.Unlock()

	defer func() {
		recovered := recover()
		p.mu.Lock()
		defer p.mu.Unlock()
		if recovered != nil {
			p.stats.Panics++
		}
		r.last, r.running = time.Now(), false
		if p.stats.Lost != r.reported || r.err != nil {
			p.armReport()
		}
	}()
	p.config.lossHandler(loss, err)
}

// handleLoss is the handler without WithLossHandler.
func handleLoss(loss SpanLoss, err error) {
	if err == nil {
		otel.Handle(fmt.Errorf("otelprof exporter: %v", loss))
		return
	}
	otel.Handle(fmt.Errorf("otelprof exporter: %v: %w", loss, err))
}
