package core

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNotLater is returned by Sub when the receiver is not a later state of the same profile: the process
// restarted, or the profile was reset in between.
var ErrNotLater = errors.New("not a later snapshot of the same profile")

// Sub returns what happened between older and s, two states of one profile: the window from the End of older to the End
// of s. Blocks and nodes with neither observations nor activity in it are left out, unless others stand below
// them. DisabledTracks and Active are those of s. What [Stats.Sub] says about extremes and exemplars holds here. An empty older
// snapshot, or nil, leaves everything.
//
// The error wraps [ErrNotLater] and says why: another name or another Start, or a count, sum or counter that went down.
func (s *Snapshot) Sub(older *Snapshot) (*Snapshot, error) {
	if older == nil {
		older = &Snapshot{}
	}
	if err := s.checkFollows(older); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotLater, err)
	}
	index := newPathIndex()
	index.add(older)
	sites, paths := index.find(s)
	blocks, err := subBlocks(s, older, sites)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotLater, err)
	}
	nodes, err := subNodes(s, older, paths)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotLater, err)
	}
	out := &Snapshot{
		Names: s.Names, DisabledTracks: s.DisabledTracks, Counters: s.Counters,
		Start: plainTime(s.Start), End: plainTime(s.End),
	}
	if !older.End.IsZero() {
		out.Start = plainTime(older.End)
	}
	out.Counters.each(&older.Counters, func(a *uint64, b uint64) { *a = subSat(*a, b) })
	out.Blocks, out.Nodes = withoutIdle(blocks, nodes)
	return out, nil
}

// checkFollows compares all but blocks and nodes.
func (s *Snapshot) checkFollows(older *Snapshot) error {
	if len(older.Names) > 0 && !slices.Equal(s.Names, older.Names) {
		return fmt.Errorf("the profile is of %.100q, the older of %.100q", s.Names, older.Names)
	}
	if !older.Start.IsZero() && !s.Start.Equal(older.Start) {
		return fmt.Errorf("it began at %v, the older at %v", plainTime(s.Start), plainTime(older.Start))
	}
	if s.End.Before(older.End) {
		return fmt.Errorf("it ends at %v, the older at %v", plainTime(s.End), plainTime(older.End))
	}
	down := false
	counters := s.Counters
	counters.each(&older.Counters, func(a *uint64, b uint64) { down = down || *a < b })
	if down {
		return errors.New("a counter went down")
	}
	return nil
}

// subBlocks subtracts the blocks; sites holds the index in older of each block of s, or -1.
func subBlocks(s, older *Snapshot, sites []int) ([]Block, error) {
	blocks := slices.Clone(s.Blocks)
	found := make([]bool, len(older.Blocks))
	for i, at := range sites {
		if at < 0 {
			continue
		}
		found[at] = true
		b, o := &blocks[i], &older.Blocks[at]
		if !b.Stats.follows(&o.Stats) {
			return nil, fmt.Errorf("a count or sum of block %.100q went down", b.Site.String())
		}
		b.Stats = b.Stats.Sub(o.Stats)
		b.Pending = addSatInt(b.Pending, -o.Pending)
	}
	for i, ok := range found {
		if o := &older.Blocks[i]; !ok && hasHistory(&o.Stats) {
			return nil, fmt.Errorf("block %.100q is gone", o.Site.String())
		}
	}
	return blocks, nil
}

// subNodes subtracts the nodes; paths holds the index in older of each node of s, or -1.
func subNodes(s, older *Snapshot, paths []int) ([]Node, error) {
	nodes := slices.Clone(s.Nodes)
	found := make([]bool, len(older.Nodes))
	for i, at := range paths {
		if at < 0 {
			continue
		}
		found[at] = true
		n, o := &nodes[i], &older.Nodes[at]
		if !n.Stats.follows(&o.Stats) {
			return nil, fmt.Errorf("a count or sum of a node of %.100q went down", s.Site(*n).String())
		}
		n.Stats = n.Stats.Sub(o.Stats)
	}
	for i, ok := range found {
		if n := &older.Nodes[i]; !ok && hasHistory(&n.Stats) {
			return nil, fmt.Errorf("a node of %.100q is gone", older.Site(*n).String())
		}
	}
	return nodes, nil
}

// hasHistory reports whether there is anything in s that a later state must have too. Open spans alone may vanish:
// they end under another name than they began with.
func hasHistory(s *Stats) bool { return s.Count > 0 || s.Bytes > 0 }

// withoutIdle leaves out the nodes without observations and activity in themselves and below, and the blocks without
// any and without nodes. A block keeps its node when an observation of before the window became part of the
// tree in it. Leaving out keeps the canonical order.
func withoutIdle(blocks []Block, nodes []Node) ([]Block, []Node) {
	keepNode, keepBlock := make([]bool, len(nodes)), make([]bool, len(blocks))
	for i := range blocks {
		keepBlock[i] = !blocks[i].Stats.IsZero()
	}
	// Children stand after their parents.
	for i := len(nodes) - 1; i >= 0; i-- {
		n := &nodes[i]
		if keepNode[i] = keepNode[i] || !n.Stats.IsZero(); keepNode[i] {
			keepBlock[n.Block] = true
			if n.Parent >= 0 {
				keepNode[n.Parent] = true
			}
		}
	}
	blockAt, nodeAt := make([]int, len(blocks)), make([]int, len(nodes))
	var outBlocks []Block
	for i, keep := range keepBlock {
		if keep {
			blockAt[i] = len(outBlocks)
			outBlocks = append(outBlocks, blocks[i])
		}
	}
	var outNodes []Node
	for i, keep := range keepNode {
		if keep {
			n := nodes[i]
			n.Block = blockAt[n.Block]
			if n.Parent >= 0 {
				n.Parent = nodeAt[n.Parent]
			}
			nodeAt[i] = len(outNodes)
			outNodes = append(outNodes, n)
		}
	}
	return outBlocks, outNodes
}
