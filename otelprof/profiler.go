package otelprof

import (
	"context"
	"os"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/internal/callsite"
)

// Profiler profiles spans and blocks. Make one with [New]; it is ready at once and needs no closing.
type Profiler struct {
	config config
	agg    *core.Aggregator
	finder *callsite.Finder // nil: call sites are not looked for
	labels labelCache
	fast   *fastAccess // nil: by the accessors
	// direct: neither self times nor the tree nor call sites are wanted, so that starts need not be seen.
	direct bool
	// atOnce: moreover nothing of a span has to be asked of the user, and it can be read directly.
	atOnce bool

	off       atomic.Bool
	offPeriod atomic.Pointer[offPeriod]
	stopped   atomic.Bool
	// contexts: Block.Context was called, so that a parent may be a block.
	contexts atomic.Bool
	// adopted are the traces whose root span started in a block outside of any trace.
	adopted      sync.Map // core.TraceID → *adoption
	adoptedCount atomic.Int64
}

// New returns a Profiler. Settings come from the options, then the OTELPROF_* environment, then the configuration file,
// then the defaults. The error names every bad setting.
func New(opts ...Option) (*Profiler, error) {
	c, err := resolve(opts)
	if err != nil {
		return nil, err
	}
	return fromConfig(c)
}

func fromConfig(c config) (*Profiler, error) {
	p := &Profiler{config: c}
	if c.callSite == CallSiteAuto || c.callSite == CallSiteCallers {
		p.finder = callsite.New(callsite.Options{Skip: c.callSiteSkip, Callers: c.callSite == CallSiteCallers})
	}
	if c.fastAccess {
		p.fast = sdkAccess()
	}
	p.direct = !c.selfTime && !c.callTree && p.finder == nil
	p.atOnce = p.direct && p.fast != nil && c.track == nil && c.callSite == CallSiteOff
	var err error
	p.agg, err = core.New(core.Config{
		Name:           c.name,
		Limits:         c.limits,
		NoTree:         !c.callTree,
		NoSelf:         !c.selfTime,
		SelfHistograms: c.selfHistograms,
		Describe:       p.describe,
		Disabled:       func(track string) bool { return !c.trackEnabled(track) },
	})
	if err == nil {
		p.SetEnabled(c.enabled)
	}
	return p, err
}

// Name returns the profiler's name.
func (p *Profiler) Name() string { return p.config.name }

// Snapshot returns a copy of the profile: everything that ended before the call, exactly once. It never holds up
// recording. It works after Shutdown too.
func (p *Profiler) Snapshot() *core.Snapshot { return p.agg.Snapshot() }

// Take returns a snapshot and resets the numbers at the same moment, so that every span is in exactly one of the
// snapshots taken.
func (p *Profiler) Take() *core.Snapshot { return p.agg.Take() }

// Reset sets all numbers to zero. Sites, the tree and switches stay.
func (p *Profiler) Reset() { p.agg.Reset() }

// Clear forgets numbers, sites and the tree, which frees what the limits were used up by. Switches stay, and so do the
// handles of [Profiler.Site].
func (p *Profiler) Clear() { p.agg.Clear() }

// TracerProviderOptions returns the options that make a TracerProvider profile every span while it exports exactly the
// spans that root samples: the profiler as a processor and root wrapped in AlwaysRecord. A nil root means the sampler
// of OTEL_TRACES_SAMPLER, by default parentbased_always_on.
//
// Give no other sampler to the provider: the last one wins. A span that root drops costs 0.5–0.8 µs more than
// without AlwaysRecord, all of it the SDK's, which now makes a real span of it.
func (p *Profiler) TracerProviderOptions(root sdktrace.Sampler) []sdktrace.TracerProviderOption {
	if root == nil {
		var err error
		if root, err = samplerFromEnv(os.LookupEnv); err != nil {
			otel.Handle(err)
		}
	}
	return []sdktrace.TracerProviderOption{
		sdktrace.WithSpanProcessor(p),
		sdktrace.WithSampler(sdktrace.AlwaysRecord(root)),
	}
}

// ForceFlush returns at once: a profiler holds nothing back.
func (p *Profiler) ForceFlush(context.Context) error { return nil }

// Shutdown stops the recording of spans and blocks for good. It returns at once, may be called repeatedly and
// concurrently, and leaves the profile readable. The SDK calls it too when the profiler is taken from a provider by
// UnregisterSpanProcessor, which thus ends it for all providers; to pause it, use [Profiler.SetEnabled].
func (p *Profiler) Shutdown(context.Context) error {
	p.stopped.Store(true)
	return nil
}
