package daemon

import (
	"context"
	"fmt"
	"net"
	"net/url"

	"github.com/stichotrope/stichotrope-go/server/internal/forward"
	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
)

// openForward starts forwarding. It stops after the pipeline: what was taken is safe before anything waits for others.
func (d *Daemon) openForward(context.Context) error {
	c := d.config.Forward
	if c.URL == "" {
		return nil
	}
	c.Log = d.config.Log
	var err error
	if d.forwarder, err = forward.New(c); err == nil {
		d.onStop(d.forwarder.Stop)
	}
	return err
}

// sink is where the receiver's requests go.
func (d *Daemon) sink() receiver.Sink {
	if d.forwarder == nil {
		return d.pipeline
	}
	return &forwarding{d.pipeline, d.forwarder}
}

// forwarding forwards what is taken.
type forwarding struct {
	receiver.Sink
	to *forward.Forwarder
}

// Ingest implements receiver.Sink.
func (f *forwarding) Ingest(ctx context.Context, request []byte) (otlp.Result, error) {
	result, err := f.Sink.Ingest(ctx, request)
	if err == nil {
		f.to.Offer(request)
	}
	return result, err
}

// checkLoop returns an error if the server would forward to itself.
func (d *Daemon) checkLoop() error {
	to, err := url.Parse(d.config.Forward.URL)
	if err != nil || to.Host == "" {
		return err
	}
	ip := net.ParseIP(to.Hostname())
	if to.Hostname() != "localhost" && !ip.IsLoopback() {
		return nil
	}
	for _, a := range d.addresses {
		if _, port, _ := net.SplitHostPort(a.Addr.String()); port == to.Port() {
			return fmt.Errorf("forward: %s is this server itself", to.Redacted())
		}
	}
	return nil
}

func forwardFigures(c *forward.Counters) []metrics.Value {
	dropped := func(reason string, n int64) metrics.Value {
		return counter("dropped_requests", "Requests that were lost on their way onward, by why.", n, "reason", reason)
	}
	return []metrics.Value{
		counter("requests", "Requests that were forwarded.", c.Forwarded.Load()),
		counter("retries", "Attempts that failed and were repeated.", c.Retries.Load()),
		dropped("queue_full", c.DroppedFull.Load()), dropped("refused", c.DroppedRefused.Load()),
		dropped("unreachable", c.DroppedExpired.Load()), dropped("stopped", c.DroppedStopped.Load()),
		counter("rejected_spans", "Spans that the other end refused out of requests that it took.", c.RejectedSpans.Load()),
		gauge("queued_bytes", "Memory of requests that wait or are under way.", c.QueuedBytes.Load()),
	}
}
