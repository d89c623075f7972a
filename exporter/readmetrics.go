package exporter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// The limits of [ReadMetrics], for the blocks and nodes of all profiles in one call together. They are those of
// core.DecodeLimits.
const (
	maxReadBlocks = 1 << 17
	maxReadNodes  = 1 << 19
	maxReadDepth  = 1 << 10
	maxReadText   = 1 << 16
)

// ReadMetrics rebuilds the profiles in OTLP metrics that a [Producer] made as [FamilyOtelprof]: one for every collection, in
// ascending order of time within each scope. Everything is exact, and the call tree is there if it was sent
// ([WithCallTree]); without it all observations of a block are pending. Sites in the cardinality overflow are part
// of core.OverflowSite. Profiles of cumulative temporality have the same Start and replace one another; those of
// delta temporality follow one another and can be merged.
//
// Metrics of other scopes and with unknown names are skipped. A scope with something that no Producer makes, or with
// histograms of less than full resolution ([WithMaxSize]), or that is not there as a whole, is left out, and the error
// says what is wrong; the profiles of the other scopes are returned with it. The input is not kept.
func ReadMetrics(resources []*metricspb.ResourceMetrics) ([]*core.Snapshot, error) {
	var profiles []*core.Snapshot
	var errs []error
	failed := 0
	budget := readBudget{blocks: maxReadBlocks, nodes: maxReadNodes}
	for i, resource := range resources {
		for j, scope := range resource.GetScopeMetrics() {
			if scope.GetScope().GetName() != MetricsScope {
				continue
			}
			found, err := readScope(scope, &budget)
			if err == nil {
				profiles = append(profiles, found...)
			} else if failed++; failed <= maxReadErrors {
				errs = append(errs, fmt.Errorf("read metrics: resource %d, scope %d: %w", i, j, err))
			}
		}
	}
	if failed > maxReadErrors {
		errs = append(errs, fmt.Errorf("read metrics: and %d other scopes", failed-maxReadErrors))
	}
	return profiles, errors.Join(errs...)
}

// readBudget is what is left of the limits.
type readBudget struct{ blocks, nodes int }

// take returns an error when nothing is left.
func take(left *int, what string, limit int) error {
	if *left--; *left < 0 {
		return fmt.Errorf("%w: more than %d %s", core.ErrDecodeLimit, limit, what)
	}
	return nil
}

func readScope(scope *metricspb.ScopeMetrics, budget *readBudget) ([]*core.Snapshot, error) {
	r := metricsReader{budget: budget, profiles: map[uint64]*profileReading{}}
	for _, m := range scope.GetMetrics() {
		if err := r.metric(m); err != nil {
			return nil, fmt.Errorf("metric %.100q: %w", m.GetName(), err)
		}
	}
	var out []*core.Snapshot
	slices.SortFunc(r.order, func(a, b *profileReading) int { return cmp.Compare(a.end, b.end) })
	for _, p := range r.order {
		s, err := p.snapshot()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// metricsReader collects the points of one scope by the time of their collection, which all points of one share.
type metricsReader struct {
	budget   *readBudget
	profiles map[uint64]*profileReading
	order    []*profileReading
}

// at returns the profile of the collection at a time in Unix nanoseconds.
func (r *metricsReader) at(time uint64) *profileReading {
	p := r.profiles[time]
	if p == nil {
		p = &profileReading{
			budget: r.budget, end: time,
			blocks: map[core.Site]*statsReading{}, nodes: map[uint64]*nodeReading{},
			counted: map[string]bool{},
		}
		r.profiles[time], r.order = p, append(r.order, p)
	}
	return p
}

// pointsOf says what the points of a metric are about.
type pointsOf uint8

const (
	sitePoints pointsOf = iota
	nodePoints
)

// readers are the functions that read the points of a metric, by its name.
var readers = newReaders()

func newReaders() map[string]func(*metricsReader, *metricspb.Metric) error {
	all := map[string]func(*metricsReader, *metricspb.Metric) error{
		profileName:  (*metricsReader).profile,
		disabledName: (*metricsReader).disabled,
		counterName:  (*metricsReader).counter,
		activeName: func(r *metricsReader, m *metricspb.Metric) error {
			return r.statistic(sitePoints, m, activeBit, func(s *core.Stats, n int64) { s.Active = n })
		},
	}
	for prefix, of := range map[string]pointsOf{sitePrefix: sitePoints, nodePrefix: nodePoints} {
		all[prefix+durationName] = func(r *metricsReader, m *metricspb.Metric) error { return r.duration(of, m) }
		all[prefix+selfName] = func(r *metricsReader, m *metricspb.Metric) error { return r.self(of, m) }
		all[prefix+squaresName] = func(r *metricsReader, m *metricspb.Metric) error { return r.squares(of, m) }
		for bit, s := range statistics {
			all[prefix+s.name] = func(r *metricsReader, m *metricspb.Metric) error {
				return r.statistic(of, m, bit, s.set)
			}
		}
	}
	return all
}

// The bits of statsReading.seen beyond those of the indexes in statistics.
const (
	activeBit   = 29
	durationBit = 30
	selfBit     = 31
	squaresBit  = 32 // and those of the further parts
)

func (r *metricsReader) metric(m *metricspb.Metric) error {
	if read := readers[m.GetName()]; read != nil {
		return read(r, m)
	}
	return nil
}

// numbers returns the points of a sum or gauge.
func numbers(m *metricspb.Metric) []*metricspb.NumberDataPoint {
	if points := m.GetSum().GetDataPoints(); points != nil {
		return points
	}
	return m.GetGauge().GetDataPoints()
}

// integer returns the value of a point, from least on.
func integer(p *metricspb.NumberDataPoint, least int64) (int64, error) {
	v, ok := p.GetValue().(*metricspb.NumberDataPoint_AsInt)
	switch {
	case !ok:
		return 0, errors.New("a value that is not an integer")
	case v.AsInt < least:
		return 0, fmt.Errorf("value %d, want at least %d", v.AsInt, least)
	}
	return v.AsInt, nil
}

// text returns the value of the attribute that a point is for.
func text(p *metricspb.NumberDataPoint, key string) (value string, found bool, err error) {
	for _, kv := range p.GetAttributes() {
		if kv.GetKey() == key {
			value, err = textValue(kv)
			return value, true, err
		}
	}
	return "", false, nil
}

func textValue(kv *commonpb.KeyValue) (string, error) {
	v, ok := kv.GetValue().GetValue().(*commonpb.AnyValue_StringValue)
	switch {
	case !ok:
		return "", fmt.Errorf("attribute %.100q is not a string", kv.GetKey())
	case len(v.StringValue) > maxReadText:
		return "", fmt.Errorf("%w: more than %d bytes of a text", core.ErrDecodeLimit, maxReadText)
	}
	return v.StringValue, nil
}

// profile reads the names of the profilers and the window.
func (r *metricsReader) profile(m *metricspb.Metric) error {
	for _, point := range numbers(m) {
		name, found, err := text(point, string(profileKey))
		if err != nil {
			return err
		}
		p := r.at(point.GetTimeUnixNano())
		p.known, p.start = true, point.GetStartTimeUnixNano()
		if found {
			p.names = append(p.names, name)
		}
	}
	return nil
}

func (r *metricsReader) disabled(m *metricspb.Metric) error {
	for _, point := range numbers(m) {
		track, _, err := text(point, string(trackKey))
		if err != nil {
			return err
		}
		p := r.at(point.GetTimeUnixNano())
		p.disabledTracks = append(p.disabledTracks, track)
	}
	return nil
}

// counter reads the counters. Unknown ones are those of a later version.
func (r *metricsReader) counter(m *metricspb.Metric) error {
	for _, point := range numbers(m) {
		name, _, err := text(point, string(counterKey))
		if err != nil {
			return err
		}
		n, err := integer(point, 0)
		if err != nil {
			return fmt.Errorf("counter %.100q: %w", name, err)
		}
		p := r.at(point.GetTimeUnixNano())
		for _, c := range counters {
			if c.name != name {
				continue
			}
			if p.counted[name] {
				return fmt.Errorf("counter %q is there twice", name)
			}
			p.counted[name] = true
			*c.field(&p.counters) = uint64(n)
		}
	}
	return nil
}
