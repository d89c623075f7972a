package exporter

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// ProducerOption configures a [Producer].
type ProducerOption interface {
	applyProducer(producerConfig) producerConfig
}

type producerOptionFunc func(producerConfig) producerConfig

func (f producerOptionFunc) applyProducer(c producerConfig) producerConfig { return f(c) }

type producerConfig struct {
	families    []Family
	temporality metricdata.Temporality
	maxSize     int // 0: the family's own
	limit       int
	callTree    bool
	seconds     bool
	unsampled   bool
	service     string
	bounds      []time.Duration // nil: the family's own
	errs        []error
}

// DefaultCardinalityLimit is how many points a metric has at most, the overflow's included, unless
// [WithCardinalityLimit] says otherwise: the default of OpenTelemetry's SDKs.
const DefaultCardinalityLimit = 2000

// DefaultMaxSize is how many buckets an exponential histogram has at most, unless [WithMaxSize] says otherwise: the
// default of OpenTelemetry's SDKs. Histograms of [FamilyOtelprof] have no such limit by default.
const DefaultMaxSize = 160

func newProducerConfig(opts []ProducerOption) producerConfig {
	c := producerConfig{temporality: metricdata.CumulativeTemporality, limit: DefaultCardinalityLimit}
	for _, o := range opts {
		if o != nil {
			c = o.applyProducer(c)
		}
	}
	if len(c.families) == 0 {
		c.families = []Family{FamilyOtelprof}
	}
	return c
}

// reject keeps what is wrong with an option for the first Produce to report.
func (c producerConfig) reject(format string, args ...any) producerConfig {
	c.errs = append(slices.Clone(c.errs), fmt.Errorf("metrics producer: "+format, args...))
	return c
}

func (c producerConfig) err() error { return errors.Join(c.errs...) }

// size returns the number of buckets that an exponential histogram may have.
func (c producerConfig) size(standard int) int {
	if c.maxSize > 0 {
		return c.maxSize
	}
	return standard
}

// unlimited is the size of histograms that keep their full resolution.
const unlimited = math.MaxInt

func (c producerConfig) boundsOr(standard []time.Duration) []time.Duration {
	if c.bounds != nil {
		return c.bounds
	}
	return standard
}

// WithFamilies selects the names to emit, each family beside the others. The default is [FamilyOtelprof] alone.
// FamilySpanMetrics and FamilyJaegerSPM share their names, so that only one of them can be chosen.
func WithFamilies(families ...Family) ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		c.families = nil
		for _, f := range families {
			switch {
			case !f.known():
				return c.reject("there is no %v", f)
			case !slices.Contains(c.families, f):
				c.families = append(c.families, f)
			}
		}
		if slices.Contains(c.families, FamilySpanMetrics) && slices.Contains(c.families, FamilyJaegerSPM) {
			return c.reject("the families %v and %v share their names: choose one", FamilySpanMetrics, FamilyJaegerSPM)
		}
		return c
	})
}

// WithTemporality says whether a point covers everything since the profile began (cumulative, the default and what
// Prometheus needs) or what happened since the last collection (delta). With delta every reader needs a Producer of
// its own, because a collection is what the next one is compared with. Active spans are a state and always
// cumulative.
func WithTemporality(t metricdata.Temporality) ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		if t != metricdata.CumulativeTemporality && t != metricdata.DeltaTemporality {
			return c.reject("temporality %v, want cumulative or delta", t)
		}
		c.temporality = t
		return c
	})
}

// WithMaxSize sets how many buckets an exponential histogram has at most, at least 2. What does not fit is merged
// pairwise, which halves the resolution and is exact otherwise. The default is [DefaultMaxSize], but for
// FamilyOtelprof, which keeps all, at most 4097. [ReadMetrics] refuses histograms of less than full resolution.
func WithMaxSize(buckets int) ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		if buckets < 2 {
			return c.reject("MaxSize %d, want at least 2", buckets)
		}
		c.maxSize = buckets
		return c
	})
}

// WithCardinalityLimit sets how many points a metric has at most, at least 2. The sites beyond, those with the least
// total time when they appear, share one point that has the attribute otel.metric.overflow=true alone, with exact
// sums. A site that has its own point keeps it until the profile is reset.
func WithCardinalityLimit(points int) ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		if points < 2 {
			return c.reject("cardinality limit %d, want at least 2", points)
		}
		c.limit = points
		return c
	})
}

// WithCallTree adds the statistics of every node of the call tree to [FamilyOtelprof], as metrics otelprof.node.*
// whose points say their node and its parent in otelprof.node and otelprof.parent. It multiplies the data.
func WithCallTree() ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		c.callTree = true
		return c
	})
}

// WithSeconds makes FamilySpanMetrics and FamilyJaegerSPM use seconds instead of milliseconds.
func WithSeconds() ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		c.seconds = true
		return c
	})
}

// WithUnsampledExemplars makes all families show exemplars of spans without the sampled flag too, which a tracing
// backend does probably not have. FamilyOtelprof always does, and tells them apart by otelprof.sampled.
func WithUnsampledExemplars() ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		c.unsampled = true
		return c
	})
}

// WithServiceName sets the service name in the points of the families that have one there, for sites that name no
// service of their own. The default is that of
// resource.Default: OTEL_SERVICE_NAME, or what stands for it.
func WithServiceName(name string) ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		c.service = name
		return c
	})
}

// WithBuckets sets the upper bounds of histograms with fixed buckets: above 0 and ascending. The defaults are those of the
// family's original.
func WithBuckets(bounds ...time.Duration) ProducerOption {
	return producerOptionFunc(func(c producerConfig) producerConfig {
		lower := time.Duration(0)
		for _, b := range bounds {
			if b <= lower {
				return c.reject("bucket bound %v: bounds must be above 0 and ascending", b)
			}
			lower = b
		}
		c.bounds = append([]time.Duration{}, bounds...)
		return c
	})
}
