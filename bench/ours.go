package main

import (
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

// stage is how much the profiler is asked for. Each stage adds to the one before.
type stage struct {
	name    string
	options []otelprof.Option
}

const (
	statisticsOnly = "statistics only"
	everything     = "+ call site: everything"
	// selfHistograms is what is off unless it is asked for.
	selfHistograms = "+ histograms of self times"
)

var stages = []stage{
	{statisticsOnly, []otelprof.Option{
		otelprof.WithSelfTime(false), otelprof.WithCallTree(false), otelprof.WithCallSite(otelprof.CallSiteOff),
	}},
	{"+ self time", []otelprof.Option{otelprof.WithCallTree(false), otelprof.WithCallSite(otelprof.CallSiteOff)}},
	{"+ call tree", []otelprof.Option{otelprof.WithCallSite(otelprof.CallSiteOff)}},
	{everything, nil},
	{selfHistograms, []otelprof.Option{otelprof.WithSelfHistograms(true)}},
}

// accesses are the two ways in which the profiler reads the SDK's spans.
var accesses = []struct {
	name string
	fast bool
}{{public, false}, {fast, true}}

const (
	public = "public accessors"
	fast   = "fast access"
)

// variant names a stage with one way of access.
func variant(stage, access string) string { return "otelprof, " + stage + ", " + access }

// newProfiler returns a profiler that the user's environment says nothing to but what OTELPROF_* variables do.
func newProfiler(options ...otelprof.Option) (*otelprof.Profiler, error) {
	p, err := otelprof.New(append([]otelprof.Option{otelprof.WithName("bench")}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("making a profiler: %w", err)
	}
	return p, nil
}

// ours returns the contenders that are profilers of this module.
func ours(n int) ([]contender, error) {
	var out []contender
	for _, s := range stages {
		for _, a := range accesses {
			p, err := newProfiler(append([]otelprof.Option{otelprof.WithFastAccess(a.fast)}, s.options...)...)
			if err != nil {
				return nil, err
			}
			shop := newShop(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)))
			out = append(out, contender{variant(s.name, a.name), func() { shop.trade(n) }})
		}
	}
	return out, nil
}
