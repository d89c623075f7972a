package exporter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
)

// Defaults of the options of [NewTracks].
const (
	DefaultTracksInterval      = time.Minute
	DefaultTracksTimeout       = 30 * time.Second
	DefaultTracksMaxNodes      = 10_000
	DefaultTracksMaxDetailed   = 1000
	DefaultTracksServiceSuffix = "-profile"
)

// leastMaxNodes is how many nodes a report can show at least.
const leastMaxNodes = 16

// TracksOption configures [NewTracks].
type TracksOption interface {
	applyTracks(*tracksConfig) error
}

type tracksOptionFunc func(*tracksConfig) error

func (f tracksOptionFunc) applyTracks(c *tracksConfig) error { return f(c) }

type tracksConfig struct {
	interval, timeout time.Duration
	maxNodes          int
	maxDetailed       int
	cumulative        bool
	unsampledLinks    bool
	resource          *resource.Resource
	service, suffix   string
	handle            func(error)
	ids               rand.Source
}

func newTracksConfig(opts []TracksOption) (tracksConfig, error) {
	c := tracksConfig{
		interval: DefaultTracksInterval, timeout: DefaultTracksTimeout, maxNodes: DefaultTracksMaxNodes,
		maxDetailed: DefaultTracksMaxDetailed,
		suffix:      DefaultTracksServiceSuffix, handle: otel.Handle,
	}
	var errs []error
	for _, o := range opts {
		if o != nil {
			errs = append(errs, o.applyTracks(&c))
		}
	}
	if c.resource == nil {
		c.resource = resource.Default()
	}
	return c, errors.Join(errs...)
}

// WithTracksInterval sets how long a window is, unless reports fail: DefaultTracksInterval by default, at least one
// millisecond.
func WithTracksInterval(d time.Duration) TracksOption {
	return tracksDuration("interval", d, func(c *tracksConfig) { c.interval = d })
}

// WithTracksTimeout bounds how long the upload of one report may take: DefaultTracksTimeout by default, at least one
// millisecond.
func WithTracksTimeout(d time.Duration) TracksOption {
	return tracksDuration("timeout", d, func(c *tracksConfig) { c.timeout = d })
}

func tracksDuration(what string, d time.Duration, set func(*tracksConfig)) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		if d < time.Millisecond {
			return fmt.Errorf("%s is %v, want at least 1ms", what, d)
		}
		set(c)
		return nil
	})
}

// WithTracksMaxNodes bounds how many nodes of the call tree a report shows: DefaultTracksMaxNodes by default, at least
// 16. Those with the greatest totals are shown; the others are folded into nodes of [OtherSite], one for each level below
// each parent, whose statistics are the exact sums. Sites with observations outside the tree are not folded:
// the profiler's own limit bounds them.
func WithTracksMaxNodes(n int) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		if n < leastMaxNodes {
			return fmt.Errorf("maximum of nodes is %d, want at least %d", n, leastMaxNodes)
		}
		c.maxNodes = n
		return nil
	})
}

// WithTracksMaxDetailed bounds how many nodes show their mean and quantiles, which would be a seventh of a large report:
// DefaultTracksMaxDetailed by default, those with the greatest totals. All others show counts, sums and extremes alone, and
// [ReadSpans] knows the rest of them as well.
func WithTracksMaxDetailed(n int) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		if n < 0 {
			return fmt.Errorf("maximum of detailed nodes is %d, want at least 0", n)
		}
		c.maxDetailed = n
		return nil
	})
}

// WithTracksCumulative makes every report show the profile since its start, in place of what happened since the
// report before.
func WithTracksCumulative() TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		c.cumulative = true
		return nil
	})
}

// WithTracksUnsampledLinks makes links to exemplars that are not sampled too. By default those are left out of reports,
// because a tracing backend does not have them. It does where [WithExemplars] exports them or a collector chooses from all
// spans.
func WithTracksUnsampledLinks() TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		c.unsampledLinks = true
		return nil
	})
}

// WithTracksResource sets the resource of the program. Give the one of the TracerProvider. By default, and if r is nil,
// it is resource.Default().
func WithTracksResource(r *resource.Resource) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		c.resource = r
		return nil
	})
}

// WithTracksServiceSuffix sets what is appended to the resource's service.name, so that profiles have a service of their
// own: DefaultTracksServiceSuffix by default. With an empty suffix they belong to the service itself, and its
// statistics in the backend include them.
func WithTracksServiceSuffix(suffix string) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		c.suffix = suffix
		return nil
	})
}

// WithTracksServiceName sets the service.name of profiles as a whole. An empty name is that of the resource with the
// suffix.
func WithTracksServiceName(name string) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		c.service = name
		return nil
	})
}

// WithTracksErrorHandler sets who is told about reports that fail: otel.Handle by default, also for nil. It is
// called from the goroutine that reports, so it must not call ForceFlush or Shutdown.
func WithTracksErrorHandler(handle func(error)) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		if c.handle = handle; handle == nil {
			c.handle = otel.Handle
		}
		return nil
	})
}

// WithTracksIDSeed makes the ids of traces and spans a function of the seed and the number of the report: for tests.
// Two programs with one seed write into the same traces.
func WithTracksIDSeed(seed uint64) TracksOption {
	return tracksOptionFunc(func(c *tracksConfig) error {
		c.ids = rand.NewPCG(seed, 0)
		return nil
	})
}
