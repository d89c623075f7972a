package exporter

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

const (
	// maxReadBuckets is how many buckets the histograms in one call of ReadSpans can have together. The other limits are
	// those of ReadMetrics.
	maxReadBuckets = 1 << 24
	// maxReadErrors is how many traces that cannot be read are described; the others are counted.
	maxReadErrors = 8
)

// ReadSpans returns the profiles that a [Tracks] reported as the given spans, one for each window, in the order of their
// times. Other spans are ignored; the order of spans and their distribution over resources do not matter, and a span
// that is there twice, as after a retry, counts once.
//
// A profile comes back as it was, with three exceptions. Nodes that the report folded come back as nodes of
// [OtherSite]. Of exemplars those come back that the report has links to. And in a window between two states of a
// profile, what Stats.Sub only estimates of a block (extremes, first moment and exemplars) is merged from the estimates
// of its nodes. Times are in UTC.
//
// The error names the traces that cannot be read: damaged, incomplete, contradictory, of another version, or over a limit.
// The profiles of all others are returned with it.
func ReadSpans(resources []*tracepb.ResourceSpans) ([]*core.Snapshot, error) {
	var profiles []*core.Snapshot
	var errs []error
	failed := 0
	traces, err := tracesOf(resources)
	if err != nil {
		errs, failed = append(errs, err), 1
	}
	budget := &spanBudget{nodes: maxReadNodes, blocks: maxReadBlocks, buckets: maxReadBuckets}
	for _, t := range traces {
		s, err := t.read(budget)
		if err == nil {
			profiles = append(profiles, s)
			continue
		}
		if failed++; failed <= maxReadErrors {
			errs = append(errs, fmt.Errorf("trace %v: %w", t.id, err))
		}
	}
	if failed > maxReadErrors {
		errs = append(errs, fmt.Errorf("and %d other traces", failed-maxReadErrors))
	}
	slices.SortStableFunc(profiles, func(a, b *core.Snapshot) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End))
	})
	if err := errors.Join(errs...); err != nil {
		return profiles, fmt.Errorf("read profiles from spans: %w", err)
	}
	return profiles, nil
}

// spanBudget is what is left of the limits.
type spanBudget struct{ nodes, blocks, buckets int }

// profileTrace is the spans of one window.
type profileTrace struct {
	id    core.TraceID
	spans []profileSpan
	// index finds spans by id.
	index map[core.SpanID]int
}

type profileSpan struct {
	*tracepb.Span
	id, parent core.SpanID
	role       string
}

// tracesOf groups the spans that stand for something in a profile. The error tells of spans without usable ids.
func tracesOf(resources []*tracepb.ResourceSpans) ([]*profileTrace, error) {
	var traces []*profileTrace
	byID := map[core.TraceID]*profileTrace{}
	bad := 0
	for _, resource := range resources {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				role := roleOf(span)
				if role == "" {
					continue
				}
				p := profileSpan{Span: span, role: role}
				var trace core.TraceID
				if !copyID(trace[:], span.GetTraceId()) || !copyID(p.id[:], span.GetSpanId()) ||
					len(span.GetParentSpanId()) > 0 && !copyID(p.parent[:], span.GetParentSpanId()) {
					bad++
					continue
				}
				t := byID[trace]
				if t == nil {
					t = &profileTrace{id: trace, index: map[core.SpanID]int{}}
					byID[trace], traces = t, append(traces, t)
				}
				t.add(p)
			}
		}
	}
	if bad > 0 {
		return traces, fmt.Errorf("%d spans have a trace or span id that is none", bad)
	}
	return traces, nil
}

func roleOf(span *tracepb.Span) string {
	for _, kv := range span.GetAttributes() {
		if kv.GetKey() == attrRole {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

// copyID reports whether from is an id of the right length that is not all zeros.
func copyID(to, from []byte) bool {
	return copy(to, from) == len(to) && len(from) == len(to) && !bytes.Equal(to, make([]byte, len(to)))
}

// add adds a span unless it is there already.
func (t *profileTrace) add(p profileSpan) {
	if _, twice := t.index[p.id]; !twice {
		t.index[p.id] = len(t.spans)
		t.spans = append(t.spans, p)
	}
}

// read puts the profile together.
func (t *profileTrace) read(budget *spanBudget) (*core.Snapshot, error) {
	s, version, err := t.window()
	if err != nil {
		return nil, err
	}
	r := &treeReader{trace: t, budget: budget, packing: packingIn(s), blocks: map[core.Site]*core.Block{}, apart: map[core.Site]bool{}}
	r.packing.old = version == oldFormatVersion
	if err := r.read(); err != nil {
		return nil, err
	}
	for _, b := range r.blocks {
		s.Blocks = append(s.Blocks, *b)
	}
	if s.Nodes = inOrder(s.Blocks, r.branches); len(s.Nodes) != len(r.branches) {
		return nil, fmt.Errorf("%d nodes are not below the window: their parents form a circle", len(r.branches)-len(s.Nodes))
	}
	if err := checkDepth(s); err != nil {
		return nil, err
	}
	r.sumUp(s)
	return s, s.Validate()
}

// window reads the window's span.
func (t *profileTrace) window() (s *core.Snapshot, version int64, err error) {
	at := -1
	for i := range t.spans {
		if t.spans[i].role != roleWindow {
			continue
		}
		if at >= 0 {
			return nil, 0, errors.New("there are two windows in it")
		}
		at = i
	}
	if at < 0 {
		return nil, 0, errors.New("the span of the window is missing")
	}
	w := windowReader{out: &core.Snapshot{}}
	for _, kv := range t.spans[at].Attributes {
		if err := w.attribute(kv); err != nil {
			return nil, 0, fmt.Errorf("window: %w", err)
		}
	}
	switch {
	case w.version != formatVersion && w.version != oldFormatVersion:
		return nil, 0, fmt.Errorf("version is %d, want %d or %d", w.version, oldFormatVersion, formatVersion)
	case w.scale != core.Scale:
		return nil, 0, fmt.Errorf("scale of the histograms is %d, want %d", w.scale, core.Scale)
	case w.spans != int64(len(t.spans)):
		return nil, 0, fmt.Errorf("it has %d spans of the profile, want %d", len(t.spans), w.spans)
	}
	return w.out, w.version, nil
}

// checkDepth refuses paths that are too long. Parents stand before their children.
func checkDepth(s *core.Snapshot) error {
	depths := make([]int, len(s.Nodes))
	for i := range s.Nodes {
		depths[i] = 1
		if p := s.Nodes[i].Parent; p >= 0 {
			depths[i] += depths[p]
		}
		if depths[i] > maxReadDepth {
			return fmt.Errorf("%w: a path of more than %d nodes", core.ErrDecodeLimit, maxReadDepth)
		}
	}
	return nil
}
