package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/stichotrope/stichotrope-go/core"
)

// shopTrack is the track of the spans that otelhttp makes: the name of its instrumentation scope.
const shopTrack = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

// served returns how many requests the profile counted for a route of the shop.
func (r result) served(route string) int {
	n := 0
	for _, b := range r.profile.Blocks {
		if b.Site.Track == shopTrack && b.Site.Kind == core.KindServer && b.Site.Name == route {
			n += int(b.Stats.Count)
		}
	}
	return n
}

// print shows what was sent beside what was counted.
func (r result) print(c config, w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(tw, "\nroute\trequests sent\tcounted by the profile\n")
	for _, route := range slices.Sorted(maps.Keys(r.tally.Routes)) {
		fmt.Fprintf(tw, "%s\t%d\t%d\n", route, r.tally.Routes[route], r.served(route))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	spans, exported := r.profile.Counters.Spans, r.exported
	fmt.Fprintf(w, "\n%d spans profiled; %d of them (%.1f %%) were chosen for export, %v\n",
		spans, exported.Received, 100*float64(exported.Received)/float64(max(spans, 1)), exported.Lost)
	if c.otlp != "" {
		fmt.Fprintf(w, "%d reports of the profile were delivered to %s, %d failed\n", r.reported.Reports, c.otlp, r.reported.Failures)
	}
	return nil
}

// check returns an error for every route whose count is not exact.
func (r result) check() error {
	var errs []error
	for route, sent := range r.tally.Routes {
		if n := r.served(route); n != sent {
			errs = append(errs, fmt.Errorf("%s: sent %d requests, the profile counted %d", route, sent, n))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
