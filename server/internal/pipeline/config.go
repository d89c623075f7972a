package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Config configures a [Pipeline]. Zero values mean the defaults, which DefaultConfig returns.
type Config struct {
	// Store keeps everything. The pipeline does not close it.
	Store store.Store
	// StatisticsOnly keeps profiles and forgets the spans: nothing is written to the log, requests are not retained,
	// and what was not committed when the process dies is gone.
	StatisticsOnly bool

	// TraceGrace is how long a trace with a root waits for more spans, TraceIdle how long one without.
	TraceGrace, TraceIdle time.Duration
	// TraceAge is how long a trace that still gets spans is kept together; then they do not prolong its time any more.
	TraceAge time.Duration
	// TraceSpans is how many spans a trace may have; those of a larger one are filed in parts of this size.
	TraceSpans int
	// MaxSkew is by how much clocks of services may differ: see assembly.Assembler. Negative leaves all clocks alone.
	MaxSkew time.Duration
	// Remember is for how many filed spans duplicates that come late are recognised: 8 bytes each.
	Remember int

	// SegmentSpans, SegmentBytes, SegmentAge and SegmentMinutes are when a segment is committed: so many spans, so many bytes as
	// they were received, so old, or with spans that ended in more different minutes. A trace with so many bytes is filed in
	// parts. If only statistics are kept, the bytes do not matter.
	SegmentSpans   int
	SegmentBytes   int64
	SegmentAge     time.Duration
	SegmentMinutes int
	// Memory bounds the bytes of requests and spans between acknowledgement and commit. From three quarters on, traces
	// are filed before their time; over it, requests are refused.
	Memory int64

	// MaxSites bounds the sites: names, in their services, scopes and source locations. Those over it share one overflow
	// block. A site that had no span for an hour makes room.
	MaxSites int
	// MaxNodes bounds the call tree of a minute, MaxDepth its depth; see core.Limits.
	MaxNodes, MaxDepth int

	// Retention is how old spans may get; older ones are refused, and removed from the store. 0 keeps them for ever.
	// RetentionBytes bounds the store; 0 is no bound.
	Retention      time.Duration
	RetentionBytes int64
	// MaxFuture is how far ahead of our clock a span may end; those beyond are refused. Negative accepts all.
	MaxFuture time.Duration

	// Withhold leaves a part of a trace out of the call tree if a span in it lacks its parent. Its spans count in their
	// blocks. The store must be one that completes traces.
	Withhold bool

	// Split are the resource attributes besides service.name that make a service: see otlp.Walker. Spans that are stored
	// already keep the service that they were filed under.
	Split []string
	// Limits bound what a span and what it comes from may hold; what is over them is left out, see otlp.Checker.
	Limits otlp.Limits
	// Recycle, if set, gets the bytes of requests that were taken, to which nothing refers any more.
	Recycle func(request []byte)
	// Log is told of failing commits and the like. Nil for nobody.
	Log *slog.Logger
}

// DefaultConfig returns the defaults. There is no default for Store.
func DefaultConfig() Config {
	return Config{
		TraceGrace: 2 * time.Second, TraceIdle: 10 * time.Second, TraceAge: time.Minute, TraceSpans: 100_000,
		MaxSkew: time.Second, Remember: 1 << 20,
		SegmentSpans: 32 << 10, SegmentBytes: 64 << 20, SegmentAge: time.Minute, SegmentMinutes: 256, Memory: 256 << 20,
		MaxSites: 16384, MaxNodes: 65536, MaxDepth: 256,
		MaxFuture: 24 * time.Hour, Limits: otlp.DefaultLimits(),
	}
}

// setDefault sets what is zero.
func setDefault[T comparable](value *T, to T) {
	var zero T
	if *value == zero {
		*value = to
	}
}

func (c *Config) complete() error {
	d := DefaultConfig()
	setDefault(&c.TraceGrace, d.TraceGrace)
	setDefault(&c.TraceIdle, d.TraceIdle)
	setDefault(&c.TraceAge, d.TraceAge)
	setDefault(&c.TraceSpans, d.TraceSpans)
	setDefault(&c.MaxSkew, d.MaxSkew)
	setDefault(&c.Remember, d.Remember)
	setDefault(&c.SegmentSpans, d.SegmentSpans)
	setDefault(&c.SegmentBytes, d.SegmentBytes)
	setDefault(&c.SegmentAge, d.SegmentAge)
	setDefault(&c.SegmentMinutes, d.SegmentMinutes)
	setDefault(&c.Memory, d.Memory)
	setDefault(&c.MaxSites, d.MaxSites)
	setDefault(&c.MaxNodes, d.MaxNodes)
	setDefault(&c.MaxDepth, d.MaxDepth)
	setDefault(&c.MaxFuture, d.MaxFuture)
	setDefault(&c.Limits, d.Limits)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c.validate()
}

// limits returns those of the aggregators. The table of sites decides what overflows; they have room for sites that were
// forgotten there.
func (c *Config) limits() core.Limits {
	l := core.DefaultLimits()
	l.MaxSites, l.MaxNodes, l.MaxDepth = 2*c.MaxSites, c.MaxNodes, c.MaxDepth
	return l
}

// maxSplit is by how many attributes services may be split.
const maxSplit = 8

func (c *Config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Store != nil, "no store")
	check(c.TraceGrace > 0 && c.TraceIdle > 0 && c.TraceAge > 0, "times for traces to wait must be positive")
	check(c.TraceSpans > 0 && c.TraceSpans <= 1<<24, "a trace may have %d spans, want 1 to 2^24", c.TraceSpans)
	check(c.Remember > 0 && c.Remember <= 1<<28, "remembering %d spans, want 1 to 2^28", c.Remember)
	check(c.SegmentSpans > 0 && c.SegmentBytes > 0 && c.SegmentAge > 0 && c.SegmentMinutes > 0, "bounds of segments must be positive")
	check(c.Memory >= 1<<20, "memory of %d bytes, want at least 1 MiB", c.Memory)
	check(c.Retention >= 0 && c.RetentionBytes >= 0, "retention must not be negative")
	check(len(c.Split) <= maxSplit, "services are split by %d attributes, want at most %d", len(c.Split), maxSplit)
	for _, key := range c.Split {
		check(key != "" && key != "service.name", "services cannot be split by the attribute %q", key)
	}
	check(c.MaxSites > 0 && c.MaxSites <= 1<<22, "%d sites, want 1 to 2^22", c.MaxSites)
	check(c.MaxNodes > 0 && c.MaxDepth > 0, "bounds of the call tree must be positive")
	errs = append(errs, c.Limits.Validate())
	return errors.Join(errs...)
}

// Errors of Ingest beside those that wrap an error of package otlp.
var (
	// ErrClosed: the pipeline was closed.
	ErrClosed = fmt.Errorf("%w: shutting down", otlp.ErrOverloaded)
)
