package profiles

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// Spans takes the spans of profiles: a pipeline.Pipeline.
type Spans interface {
	Ingest(ctx context.Context, request []byte) (otlp.Result, error)
}

// Options bound a [Sink]. Zero values mean the defaults.
type Options struct {
	// MaxStates is how many processes are remembered that send cumulative metrics: 1024 by default. MaxSize bounds the
	// blocks and nodes of all that is remembered, 2^18 by default. What was not heard of for longest is forgotten first.
	MaxStates, MaxSize int
	// Whole says that cumulative profiles were never counted before, whenever their processes began: for files.
	Whole bool
	// Log is told of metrics that cannot be read. Nil for nobody.
	Log *slog.Logger
}

// Counters are what a sink has seen.
type Counters struct {
	// Taken is how many profiles were handed on, Repeated how many cumulative ones were not newer than what was known.
	// Begun is how many cumulative ones were only taken as the state from which counting begins. Rejected is how many data
	// points were refused.
	Taken, Repeated, Begun, Rejected atomic.Int64
	// Forgotten is how many processes were forgotten because there were too many, or they were too large.
	Forgotten atomic.Int64
}

// Sink takes requests with metrics. It is safe for concurrent use.
type Sink struct {
	Counters Counters

	spans  Spans
	log    *slog.Logger
	states *states
}

// New returns a sink that hands profiles on to spans.
func New(spans Spans, o Options) *Sink {
	if o.MaxStates == 0 {
		o.MaxStates = 1024
	}
	if o.MaxSize == 0 {
		o.MaxSize = 1 << 18
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	since := time.Now()
	if o.Whole {
		since = time.Time{}
	}
	s := &Sink{spans: spans, log: o.Log}
	s.states = newStates(o.MaxStates, o.MaxSize, since, &s.Counters.Forgotten)
	return s
}

// NotProfile is why data points are refused that are not of a profile.
const NotProfile = "only metrics of the scope " + exporter.MetricsScope + " are taken, which are profiles"

// Ingest takes an ExportMetricsServiceRequest. When it returns without an error, the profiles in it are durable, and what is
// no profile or cannot be read is rejected. The error is that of the spans' sink, or wraps otlp.ErrMalformed; the request can
// be sent again then, and what was taken of it is recognised.
func (s *Sink) Ingest(ctx context.Context, request []byte) (otlp.Result, error) {
	var all collectorpb.ExportMetricsServiceRequest
	if err := proto.Unmarshal(request, &all); err != nil {
		return otlp.Result{}, fmt.Errorf("%w: %w", otlp.ErrMalformed, err)
	}
	var result otlp.Result
	reject := func(scope *metricspb.ScopeMetrics, reason string) {
		if n := countPoints(scope); n > 0 {
			s.Counters.Rejected.Add(int64(n))
			result.Rejected += n
			result.Message = reason
		}
	}
	for _, resource := range all.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			if scope.GetScope().GetName() != exporter.MetricsScope {
				reject(scope, NotProfile)
				continue
			}
			reason, err := s.scope(ctx, resource, scope)
			if err != nil {
				return otlp.Result{}, err
			}
			if reason != "" {
				s.log.Warn("A profile that came as metrics is refused.", "reason", reason)
				reject(scope, reason)
			}
		}
	}
	return result, nil
}

// scope takes the profiles of one scope, or says why not.
func (s *Sink) scope(ctx context.Context, resource *metricspb.ResourceMetrics, scope *metricspb.ScopeMetrics) (reason string, err error) {
	one := &metricspb.ResourceMetrics{Resource: resource.GetResource(), ScopeMetrics: []*metricspb.ScopeMetrics{scope}}
	found, err := exporter.ReadMetrics([]*metricspb.ResourceMetrics{one})
	if err != nil {
		return err.Error(), nil
	}
	source, err := proto.MarshalOptions{Deterministic: true}.Marshal(resource.GetResource())
	if err != nil {
		return "", fmt.Errorf("%w: %w", otlp.ErrMalformed, err)
	}
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(one)
	if err != nil {
		return "", fmt.Errorf("%w: %w", otlp.ErrMalformed, err)
	}
	out := sender{to: s.spans, resource: resource.GetResource(), seed: xxhash.Sum64(content)}
	for _, profile := range found {
		if profile.End.IsZero() {
			return "a profile without a time", nil
		}
		if isCumulative(scope) {
			reason, err = s.cumulative(ctx, string(source), profile, &out)
		} else {
			reason, err = s.send(ctx, profile, &out)
		}
		if reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

func (s *Sink) send(ctx context.Context, profile *core.Snapshot, out *sender) (reason string, err error) {
	if reason, err = out.send(ctx, profile); reason == "" && err == nil {
		s.Counters.Taken.Add(1)
	}
	return reason, err
}

// cumulative hands on what a profile has more than the state before. The state stays locked meanwhile, so that of two
// requests of one process, the second sees what became of the first.
func (s *Sink) cumulative(ctx context.Context, source string, profile *core.Snapshot, out *sender) (reason string, err error) {
	st := s.states.take(key{source, fmt.Sprint(profile.Names), profile.Start.UnixNano()})
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.last == nil && profile.Start.Before(st.since):
		s.Counters.Begun.Add(1)
		s.log.Info("A process that was there before sends its profile as cumulative metrics: it is counted from now on.",
			"profiler", profile.Names, "start", profile.Start)
		s.states.set(st, profile)
		return "", nil
	case st.last != nil && !profile.End.After(st.last.End):
		s.Counters.Repeated.Add(1)
		return "", nil
	}
	window, err := profile.Sub(st.last)
	if err != nil {
		return err.Error(), nil
	}
	if reason, err = s.send(ctx, window, out); reason == "" && err == nil {
		s.states.set(st, profile)
	}
	return reason, err
}
