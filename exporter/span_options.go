package exporter

import (
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// SpanOption configures a [SpanProcessor]. Of two options that say the same thing the later one wins; a nil
// SpanOption does nothing.
type SpanOption interface {
	applySpan(c *spanConfig) error
}

type spanOptionFunc func(c *spanConfig) error

func (f spanOptionFunc) applySpan(c *spanConfig) error { return f(c) }

// spanConfig is what the options say.
type spanConfig struct {
	queueSize, batchSize      int
	batchDelay, exportTimeout time.Duration
	maxBlock                  time.Duration // 0: never
	lossHandler               func(SpanLoss, error)
	keep                      func(sdktrace.ReadOnlySpan) bool
	exemplars                 Source
	meters                    metric.MeterProvider // nil: none
}

// The defaults are those that OpenTelemetry specifies for batch processors. The queue is allocated at once.
const (
	defaultQueueSize     = 2048
	defaultBatchSize     = 512
	defaultBatchDelay    = 5 * time.Second
	defaultExportTimeout = 30 * time.Second
	maxQueueSize         = 1 << 20
)

func newSpanConfig(opts []SpanOption) spanConfig {
	c := spanConfig{
		queueSize:     defaultQueueSize,
		batchSize:     defaultBatchSize,
		batchDelay:    defaultBatchDelay,
		exportTimeout: defaultExportTimeout,
		lossHandler:   handleLoss,
	}
	for _, opt := range append(spanEnvironment(os.LookupEnv), opts...) {
		if opt == nil {
			continue
		}
		if err := opt.applySpan(&c); err != nil {
			otel.Handle(fmt.Errorf("otelprof exporter: %w", err))
		}
	}
	c.batchSize = min(c.batchSize, c.queueSize)
	return c
}

// WithQueueSize sets how many spans may wait to be exported: 1 to 1 048 576, by default 2048. Further spans are lost.
func WithQueueSize(n int) SpanOption {
	return spanOptionFunc(func(c *spanConfig) error {
		if n < 1 || n > maxQueueSize {
			return fmt.Errorf("WithQueueSize(%d): want 1 to %d", n, maxQueueSize)
		}
		c.queueSize = n
		return nil
	})
}

// WithBatchSize sets how many spans are exported in one call, at most: 1 or more, by default 512. As soon as that many
// are queued they are exported. A size above that of the queue counts as the size of the queue.
func WithBatchSize(n int) SpanOption {
	return spanOptionFunc(func(c *spanConfig) error {
		if n < 1 {
			return fmt.Errorf("WithBatchSize(%d): want 1 or more", n)
		}
		c.batchSize = n
		return nil
	})
}

// WithBatchDelay sets how long a span waits for a batch to fill up, at most: above 0, by default 5 seconds.
func WithBatchDelay(d time.Duration) SpanOption {
	return durationOption("WithBatchDelay", d, func(c *spanConfig) *time.Duration { return &c.batchDelay })
}

// WithExportTimeout sets when an export is cancelled and its spans are counted as lost: above 0, by default 30
// seconds. Retries are the exporter's business and happen within that time.
func WithExportTimeout(d time.Duration) SpanOption {
	return durationOption("WithExportTimeout", d, func(c *spanConfig) *time.Duration { return &c.exportTimeout })
}

// WithBlockOnFull makes the end of a span wait for room when the queue is full, for at most the given time, above 0;
// only then is the span lost. The default is not to wait. It suits programs that must export everything and whose
// speed does not matter, such as a batch job or a test.
func WithBlockOnFull(most time.Duration) SpanOption {
	return durationOption("WithBlockOnFull", most, func(c *spanConfig) *time.Duration { return &c.maxBlock })
}

func durationOption(name string, d time.Duration, field func(*spanConfig) *time.Duration) SpanOption {
	return spanOptionFunc(func(c *spanConfig) error {
		if d <= 0 {
			return fmt.Errorf("%s(%v): want more than 0", name, d)
		}
		*field(c) = d
		return nil
	})
}

// WithLossHandler has losses reported to a function instead of the OpenTelemetry error handler: the spans lost since
// the last report, and the error of the latest export that had one, nil if none had. No loss with an error is a
// warning of the backend. The function is called a second after the first loss, then at most every 10 seconds, and at
// the end of Shutdown; never twice at the same time, and from no goroutine of the application. Spans that end after
// Shutdown are counted, but cause no report. nil restores the default.
func WithLossHandler(handle func(loss SpanLoss, err error)) SpanOption {
	return spanOptionFunc(func(c *spanConfig) error {
		c.lossHandler = handle
		if handle == nil {
			c.lossHandler = handleLoss
		}
		return nil
	})
}

// WithKeep exports spans that are not sampled when keep says so: unlike a sampler, it sees the whole span. It is called
// for every span that is recorded but not sampled, concurrently, from the goroutine that ends the span, so it must be
// fast and must not block. If it panics, the panic is recovered and counted and the span is not kept. Read about
// keeping unsampled spans in the documentation of the package first. nil restores the default, which keeps none.
func WithKeep(keep func(sdktrace.ReadOnlySpan) bool) SpanOption {
	return spanOptionFunc(func(c *spanConfig) error {
		c.keep = keep
		return nil
	})
}

// WithExemplars exports spans that are not sampled when they are exemplars of a block in the profile of src, that is
// its slowest span or its latest error, so that the links that reports show for them resolve. The profile is looked
// at when a batch is due ([WithBatchDelay]), on ForceFlush and on Shutdown; until then, of every scope, name and kind,
// the slowest span and the latest error are held. An exemplar that another one took the place of before that moment
// is not exported, nor is one of several sites that share scope, name and kind, unless it is the slowest or the
// latest error of them all. Up to 2000 scopes, names and kinds are held at a time.
//
// Register the profiler before this processor, so that it knows a span first. Read about keeping unsampled spans in the
// documentation of the package. nil restores the default, which keeps none.
func WithExemplars(src Source) SpanOption {
	return spanOptionFunc(func(c *spanConfig) error {
		c.exemplars = src
		return nil
	})
}
