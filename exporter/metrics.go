package exporter

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/stichotrope/stichotrope-go/core"
)

// MetricsScope is the name of the instrumentation scope that the metrics of a [Producer] belong to. It does not depend
// on the profile: tracks are an attribute.
const MetricsScope = "github.com/stichotrope/stichotrope-go/exporter"

// Producer turns a profile into metrics, for the readers of OpenTelemetry's metric SDK. Give it to a reader:
//
//	reader := metric.NewPeriodicReader(otlpExporter, metric.WithProducer(exporter.NewProducer(profiler)))
//	provider := metric.NewMeterProvider(metric.WithReader(reader))
//
// or to the Prometheus exporter with prometheus.WithProducer. All points of one collection come from one snapshot, are
// in the order of their sites and carry the same times.
//
// The statistics of a profile do not tell which durations belong to errors. So the families with a status.code split
// the calls by it, exactly, into STATUS_CODE_ERROR and STATUS_CODE_UNSET, and leave it out of durations.
//
// When the profile was reset or cleared, the next points have its new start time, and with delta temporality hold
// everything since then.
type Producer struct {
	src    Source
	config producerConfig

	mu sync.Mutex // makes collections follow one another
	// last is the collection before, nil if there was none or temporality is cumulative.
	last *core.Snapshot
	// start is since when the profile of the last collection counted. Another one makes all series new.
	start time.Time
	// sites, spans and nodes decide who has a point of their own: sites, sites known by name and kind alone, and
	// nodes of the call tree.
	sites, spans, nodes *cardinality
}

var _ metric.Producer = (*Producer)(nil)

// NewProducer returns a Producer of the profile of src, such as an otelprof.Profiler. What is wrong with an option is the
// error of every Produce, and the option has no effect.
func NewProducer(src Source, opts ...ProducerOption) *Producer {
	p := &Producer{src: src, config: newProducerConfig(opts)}
	if p.config.service == "" {
		name, _ := resource.Default().Set().Value(semconv.ServiceNameKey)
		p.config.service = name.AsString()
	}
	return p
}

// collection is what one call of Produce works on.
type collection struct {
	// window is what to emit: the whole profile, or with delta temporality what is new of it.
	window      *core.Snapshot
	temporality metricdata.Temporality
	start, end  time.Time
	// fallenIdle are the sites without anything new but that nothing is open any more. Without a point of theirs
	// the last number of open spans would stand for ever.
	fallenIdle []core.Site
	// since is the start time of states, which are cumulative always.
	since time.Time
}

func (c *collection) delta() bool { return c.temporality == metricdata.DeltaTemporality }

// Produce returns the metrics of the profile as it is now. It may be called concurrently. The error is about the
// options; there are metrics all the same. Nothing is returned when ctx is done.
func (p *Producer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		// Before the snapshot is taken: with delta temporality it could not be given again.
		return nil, fmt.Errorf("collect metrics of the profile: %w", err)
	}
	s := p.src.Snapshot()
	if s == nil || s.End.IsZero() {
		return nil, p.config.err()
	}
	if p.sites == nil || !s.Start.Equal(p.start) {
		p.start = s.Start
		room := p.config.limit - 1 // one point is the overflow's
		// A span has up to two points of calls, by status.
		p.sites, p.spans, p.nodes = newCardinality(room), newCardinality(room/2), newCardinality(room)
	}
	c := p.collect(s)
	scope := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: MetricsScope}}
	for _, f := range p.config.families {
		scope.Metrics = append(scope.Metrics, f.metrics(p, c)...)
	}
	return []metricdata.ScopeMetrics{scope}, p.config.err()
}

// collect returns the collection that begins where the one before ended, or all of s.
func (p *Producer) collect(s *core.Snapshot) *collection {
	c := &collection{window: s, temporality: p.config.temporality, since: s.Start}
	if c.delta() {
		// The only error is core.ErrNotLater: the profile was reset, and all of it is new.
		if d, err := s.Sub(p.last); err == nil {
			c.window = d
			c.fallenIdle = fallenIdle(d, p.last)
		}
		p.last = s
	}
	c.start, c.end = c.window.Start, c.window.End
	return c
}

// fallenIdle returns the sites that are not in the difference d of last and a later snapshot although something was
// open there: a span can be open under one name and end under another.
func fallenIdle(d, last *core.Snapshot) []core.Site {
	var sites []core.Site
	if last == nil {
		return nil
	}
	for i := range last.Blocks {
		if b := &last.Blocks[i]; b.Stats.Active != 0 && d.Block(b.Site) == nil {
			sites = append(sites, b.Site)
		}
	}
	return sites
}
