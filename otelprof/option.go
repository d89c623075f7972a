package otelprof

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// Option configures a profiler that [New] makes. What an option says wins over the OTELPROF_* environment variables,
// which win over the configuration file, which wins over the defaults. Of two options that say the same thing, the
// later one wins. A bad value never panics: New reports it, together with every other mistake. A nil Option does
// nothing.
//
// Options hold no state: one may be given to any number of profilers, from any goroutine.
type Option interface {
	apply(c *config) error
}

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

// WithConfigFile names the YAML file to read settings from, relative to the working directory. New fails if the file
// cannot be read, holds an unknown key or a bad value. It takes the place of OTELPROF_CONFIG, whose file is then not
// read; an empty path counts as not given.
func WithConfigFile(path string) Option {
	return optionFunc(func(c *config) error {
		c.file = cmp.Or(path, c.file)
		return nil
	})
}

// WithoutEnvironment makes New read no variable at all: neither OTELPROF_* nor OpenTelemetry's, and so no file that
// OTELPROF_CONFIG names. It is for programs whose own settings are OTELPROF_* variables, which New would refuse as unknown.
func WithoutEnvironment() Option {
	return optionFunc(func(c *config) error {
		c.noEnvironment = true
		return nil
	})
}

// WithName names the profiler in snapshots and reports: 1 to 1024 bytes of valid UTF-8 without control characters.
// The default is OTEL_SERVICE_NAME, else service.name in OTEL_RESOURCE_ATTRIBUTES, else the name of the executable.
func WithName(name string) Option {
	return optionFunc(func(c *config) error {
		if !validName(name) {
			return badOption("WithName", "name", name)
		}
		c.name = name
		return nil
	})
}

// WithEnabled says whether the profiler records from the start; Profiler.SetEnabled switches it later. The default
// is true, unless OTEL_SDK_DISABLED is true.
func WithEnabled(on bool) Option {
	return optionFunc(func(c *config) error {
		c.enabled = on
		return nil
	})
}

// WithOnlyTracks switches off every track whose name matches none of the patterns. In a pattern * stands for any
// run of characters, also an empty one; everything else is literal. Without a pattern all tracks are on, which is
// the default. An empty pattern is an error.
func WithOnlyTracks(patterns ...string) Option {
	patterns = slices.Clone(patterns)
	return optionFunc(func(c *config) error {
		if !validList(patterns) {
			return badOption("WithOnlyTracks", "only_tracks", strings.Join(patterns, ","))
		}
		c.onlyTracks = patterns
		return nil
	})
}

// WithDisabledTracks switches off every track whose name matches one of the patterns, also when [WithOnlyTracks]
// names it. Patterns are those of WithOnlyTracks. By default no track is off.
func WithDisabledTracks(patterns ...string) Option {
	patterns = slices.Clone(patterns)
	return optionFunc(func(c *config) error {
		if !validList(patterns) {
			return badOption("WithDisabledTracks", "disabled_tracks", strings.Join(patterns, ","))
		}
		c.disabledTracks = patterns
		return nil
	})
}

// WithTrack replaces the rule that a span's track is the name of its instrumentation scope. The function is called
// for every span that ends, and for spans still open when a snapshot is taken: concurrently, from the goroutine that
// ends the span, so it must be fast and must not block. If it panics, the panic is recovered and counted and the
// default rule applies. Keep the number of different tracks small: each makes new sites. nil restores the default.
func WithTrack(track func(sdktrace.ReadOnlySpan) string) Option {
	return optionFunc(func(c *config) error {
		c.track = track
		return nil
	})
}

// WithCallSite says how the source location of a span is found. The default is [CallSiteAuto]; a mode that is not
// one of the constants is an error.
func WithCallSite(mode CallSiteMode) Option {
	return optionFunc(func(c *config) error {
		if !mode.valid() {
			return badOption("WithCallSite", "call_site", mode.String())
		}
		c.callSite = mode
		return nil
	})
}

// WithCallSiteSkip names functions that are never a call site, by a prefix of their qualified name such as
// "example.com/shop/tracing." for a package of helpers around Tracer.Start: the location is then that of their
// caller. It matters only where the call stack is used. An empty prefix is an error, because it would skip everything.
func WithCallSiteSkip(prefixes ...string) Option {
	prefixes = slices.Clone(prefixes)
	return optionFunc(func(c *config) error {
		if !validList(prefixes) {
			return badOption("WithCallSiteSkip", "call_site_skip", strings.Join(prefixes, ","))
		}
		c.callSiteSkip = prefixes
		return nil
	})
}

// WithSelfTime says whether self time, the time of a span that none of its local children covers, is measured. The
// default is true. It comes for nothing with the call tree, so that false has an effect only together with
// WithCallTree(false): then every span costs less, and all of its time counts as self time.
func WithSelfTime(on bool) Option {
	return optionFunc(func(c *config) error {
		c.selfTime = on
		return nil
	})
}

// WithSelfHistograms says whether self times are kept in histograms too, so that quantiles of them are known, and not their
// sum alone: in core.Stats.SelfHistogram, and as the metric otelprof.self. The default is false, because every site and node
// then takes up to twice the memory, and its reports up to twice the bytes.
func WithSelfHistograms(on bool) Option {
	return optionFunc(func(c *config) error {
		c.selfHistograms = on
		return nil
	})
}

// WithCallTree says whether the call tree is kept. The default is true. Without it snapshots have blocks but no
// nodes, so that there is no flame graph, and every span costs less.
func WithCallTree(on bool) Option {
	return optionFunc(func(c *config) error {
		c.callTree = on
		return nil
	})
}

// WithFastAccess says whether the profiler may read the SDK's spans directly instead of through their accessor
// methods. It does so only if a check at the start proves that their memory layout is the one it knows, else it
// uses the public methods as if the option were off. The default is true; the results are the same.
func WithFastAccess(on bool) Option {
	return optionFunc(func(c *config) error {
		c.fastAccess = on
		return nil
	})
}

// WithNormalizeNames says whether [NormalizeName] is applied to the names of spans, so that names with ids in them
// become one site. The default is false.
func WithNormalizeNames(on bool) Option {
	return optionFunc(func(c *config) error {
		c.normalizeNames = on
		return nil
	})
}

// WithNameNormalizer applies a function of your own to the names of spans, whatever [WithNormalizeNames] or the
// setting normalize_names say; call [NormalizeName] in it to have both. The result must depend on nothing but the name,
// since results are remembered. The function is called concurrently and while spans end, so it must not block; if it
// panics, the panic is recovered and counted and the name stays as it is. nil restores the default.
func WithNameNormalizer(normalize func(name string) string) Option {
	return optionFunc(func(c *config) error {
		c.nameNormalizer = normalize
		return nil
	})
}

// WithLimits bounds the memory of the profiler. A field that is 0 leaves the limit that the file, the environment or
// [core.DefaultLimits] gave; [core.Limits.Validate] says what is allowed.
func WithLimits(limits core.Limits) Option {
	return optionFunc(func(c *config) error {
		merged := core.Limits{
			MaxSites:   cmp.Or(limits.MaxSites, c.limits.MaxSites),
			MaxNodes:   cmp.Or(limits.MaxNodes, c.limits.MaxNodes),
			MaxDepth:   cmp.Or(limits.MaxDepth, c.limits.MaxDepth),
			MaxActive:  cmp.Or(limits.MaxActive, c.limits.MaxActive),
			MaxPending: cmp.Or(limits.MaxPending, c.limits.MaxPending),
			MaxName:    cmp.Or(limits.MaxName, c.limits.MaxName),
		}
		if err := merged.Validate(); err != nil {
			return fmt.Errorf("WithLimits: %w", err)
		}
		c.limits = merged
		return nil
	})
}
