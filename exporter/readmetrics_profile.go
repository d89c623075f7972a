package exporter

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// profileReading is a profile while its points are read.
type profileReading struct {
	budget *readBudget
	// start and end are in Unix nanoseconds, 0 for unknown.
	start, end uint64
	// known: the point that says start and names was there.
	known          bool
	names          []string
	disabledTracks []string
	counters       core.Counters
	counted        map[string]bool
	blocks         map[core.Site]*statsReading
	nodes          map[uint64]*nodeReading
	// sites and ids are the keys of blocks and nodes in the order of the input, so that equal input is always treated
	// the same.
	sites []core.Site
	ids   []uint64
}

type statsReading struct {
	stats core.Stats
	// seen has a bit for every point that was read.
	seen uint64
}

type nodeReading struct {
	statsReading
	site   core.Site
	parent uint64
}

// complete returns an error if a point is missing that every series with observations has: another part of the
// collection may have gone elsewhere.
func (s *statsReading) complete(site core.Site) error {
	if s.stats.Count == 0 && s.seen&(1<<durationBit) == 0 {
		return nil
	}
	missing := ""
	for bit, statistic := range statistics {
		if !statistic.sparse && s.seen&(1<<bit) == 0 {
			missing = statistic.name
		}
	}
	if s.stats.SumSquares == (core.Uint128{}) && s.stats.Max > 0 {
		missing = squaresName
	}
	if missing != "" {
		return fmt.Errorf("%.200q has no %s: a part of the collection is missing", site.String(), missing)
	}
	return nil
}

// overflowNode is the id of the node that stands for all that had no point of their own.
const overflowNode = 0

// find returns the statistics of a block or node, new if there are none.
func (p *profileReading) find(id seriesID, ofNode bool) (*statsReading, error) {
	if !ofNode {
		return p.block(id.site)
	}
	n := p.nodes[id.node]
	if n == nil {
		if err := take(&p.budget.nodes, "nodes", maxReadNodes); err != nil {
			return nil, err
		}
		n = &nodeReading{site: id.site, parent: id.parent}
		p.nodes[id.node], p.ids = n, append(p.ids, id.node)
	}
	if n.site != id.site || n.parent != id.parent {
		return nil, fmt.Errorf("node %x is that of two paths", id.node)
	}
	return &n.statsReading, nil
}

// block returns the statistics of a site, new if there are none.
func (p *profileReading) block(site core.Site) (*statsReading, error) {
	s := p.blocks[site]
	if s == nil {
		if err := take(&p.budget.blocks, "blocks", maxReadBlocks); err != nil {
			return nil, err
		}
		s = &statsReading{}
		p.blocks[site], p.sites = s, append(p.sites, site)
	}
	return s, nil
}

// snapshot puts the profile together.
func (p *profileReading) snapshot() (*core.Snapshot, error) {
	if !p.known {
		return nil, fmt.Errorf("the collection at %v has no %s: a part of it is missing", unixTime(p.end), profileName)
	}
	s := &core.Snapshot{
		Names: p.names, DisabledTracks: p.disabledTracks, Counters: p.counters,
		Start: unixTime(p.start), End: unixTime(p.end),
	}
	slices.Sort(s.Names)
	slices.Sort(s.DisabledTracks)
	for _, id := range p.ids {
		n := p.nodes[id]
		if _, err := p.block(n.site); err != nil {
			return nil, err
		}
		if err := n.complete(n.site); err != nil {
			return nil, fmt.Errorf("node %x: %w", id, err)
		}
	}
	index := map[core.Site]int{}
	for i, site := range p.sites {
		if err := p.blocks[site].complete(site); err != nil {
			return nil, err
		}
		index[site] = i
		s.Blocks = append(s.Blocks, core.Block{Site: site, Stats: p.blocks[site].stats})
	}
	if err := p.addNodes(s, index); err != nil {
		return nil, err
	}
	if err := setPending(s); err != nil {
		return nil, err
	}
	s = core.Merge(s) // sorts
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// addNodes appends the nodes level by level, so that a parent stands before its children.
func (p *profileReading) addNodes(s *core.Snapshot, index map[core.Site]int) error {
	children := map[uint64][]uint64{}
	var level []uint64
	for _, id := range p.ids {
		if n := p.nodes[id]; n.parent == 0 {
			level = append(level, id)
		} else {
			children[n.parent] = append(children[n.parent], id)
		}
	}
	at := map[uint64]int{}
	for depth := 0; len(level) > 0; depth++ {
		if depth == maxReadDepth {
			return fmt.Errorf("%w: more than %d nodes on a path", core.ErrDecodeLimit, maxReadDepth)
		}
		var next []uint64
		for _, id := range level {
			n, parent := p.nodes[id], -1
			if n.parent != 0 {
				parent = at[n.parent]
			}
			at[id] = len(s.Nodes)
			s.Nodes = append(s.Nodes, core.Node{Parent: parent, Block: index[n.site], Stats: n.stats})
			if id != overflowNode {
				next = append(next, children[id]...)
			}
		}
		level = next
	}
	if len(s.Nodes) < len(p.nodes) {
		return fmt.Errorf("%d nodes of the call tree have no path to a root", len(p.nodes)-len(s.Nodes))
	}
	return nil
}

// setPending counts what of every block is in no node.
func setPending(s *core.Snapshot) error {
	const most = math.MaxInt64 / 2
	errTooMany := errors.New("more than 2^62 observations of a block")
	for i := range s.Blocks {
		b := &s.Blocks[i]
		if b.Stats.Count > most {
			return errTooMany
		}
		b.Pending = int64(b.Stats.Count)
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		b := &s.Blocks[n.Block]
		if n.Stats.Count > most || b.Pending < -most {
			return errTooMany
		}
		b.Pending -= int64(n.Stats.Count)
	}
	return nil
}

// unixTime returns the time of a point; 0 is none.
func unixTime(ns uint64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(min(ns, math.MaxInt64))).UTC()
}
