package exporter

import (
	"errors"
	"fmt"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// treeReader reads the nodes and blocks of one trace.
type treeReader struct {
	trace   *profileTrace
	budget  *spanBudget
	packing packing
	// branches are the nodes; blocks get their statistics at the end, until then those of outside spans.
	branches []branch
	blocks   map[core.Site]*core.Block
	// apart are the sites that have an outside span.
	apart map[core.Site]bool
}

func (r *treeReader) read() error {
	at := make([]int, len(r.trace.spans)) // the branch of each node's span
	for i := range r.trace.spans {
		if r.trace.spans[i].role == roleNode {
			at[i] = len(r.branches)
			r.branches = append(r.branches, branch{})
		}
	}
	for i := range r.trace.spans {
		p := &r.trace.spans[i]
		var err error
		switch p.role {
		case roleNode:
			err = r.node(p, at)
		case roleOutside:
			err = r.outside(p)
		}
		if err != nil {
			return fmt.Errorf("span %v (%.100q): %w", p.id, p.GetName(), err)
		}
	}
	return nil
}

// node reads the span of a node, which stands below another or below that of a track.
func (r *treeReader) node(p *profileSpan, at []int) error {
	if err := take(&r.budget.nodes, "nodes", maxReadNodes); err != nil {
		return err
	}
	site, err := r.site(p.Span)
	if err != nil {
		return err
	}
	stats, err := readStatistics(p.Span, r.packing, r.budget)
	if err != nil {
		return err
	}
	b := branch{site: site, parent: -1, stats: stats}
	above, ok := r.trace.index[p.parent]
	switch {
	case !ok:
		return fmt.Errorf("its parent %v is missing", p.parent)
	case r.trace.spans[above].role == roleNode:
		b.parent = at[above]
	case r.trace.spans[above].role != roleTrack:
		return fmt.Errorf("its parent is a %.100q, want a node or track", r.trace.spans[above].role)
	}
	r.branches[at[r.trace.index[p.id]]] = b
	_, err = r.block(site)
	return err
}

// outside reads what a block has besides its nodes.
func (r *treeReader) outside(p *profileSpan) error {
	site, err := r.site(p.Span)
	if err != nil {
		return err
	}
	b, err := r.block(site)
	if err != nil {
		return err
	}
	if r.apart[site] {
		return errors.New("its site has another such span")
	}
	r.apart[site] = true
	outside := r.packing
	outside.outside = true
	b.Stats, err = readStatistics(p.Span, outside, r.budget)
	return err
}

// block returns the block of a site, new if there is none.
func (r *treeReader) block(site core.Site) (*core.Block, error) {
	b := r.blocks[site]
	if b == nil {
		if err := take(&r.budget.blocks, "blocks", maxReadBlocks); err != nil {
			return nil, err
		}
		b = &core.Block{Site: site}
		r.blocks[site] = b
	}
	return b, nil
}

func (r *treeReader) site(span *tracepb.Span) (core.Site, error) {
	s := siteReader{core.Site{Name: span.GetName()}}
	if k := span.GetKind(); k >= 0 && k <= tracepb.Span_SpanKind(core.KindConsumer) {
		s.site.Kind = core.Kind(k)
	}
	if len(s.site.Name) > maxReadText {
		return s.site, fmt.Errorf("its name has %d bytes, want at most %d", len(s.site.Name), maxReadText)
	}
	for _, kv := range span.GetAttributes() {
		if err := s.attribute(kv); err != nil {
			return s.site, err
		}
	}
	return s.site, nil
}

// sumUp sets the statistics of the blocks, which are sorted: the sum of the nodes and what is outside.
func (r *treeReader) sumUp(s *core.Snapshot) {
	sums, _ := nodeSums(s)
	for i := range s.Blocks {
		b := &s.Blocks[i]
		if r.apart[b.Site] {
			b.Pending = int64(b.Stats.Count)
			b.Stats = withOutside(&sums[i], &b.Stats)
		} else {
			b.Stats = sums[i]
		}
	}
}
