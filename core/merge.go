package core

import (
	"slices"
	"time"
)

// Merge returns the profile of everything in the snapshots, which may come from any number of processes. Blocks are
// put together by site, nodes by path. It is commutative and associative, and its identity is the empty
// Snapshot; nil counts as that. Sums saturate, the window reaches from the earliest Start to the latest End, and
// a track that was switched off anywhere is in DisabledTracks. Times in the result are in UTC.
//
// The differences of a profile with its earlier states merge as well: what two adjacent windows hold adds up to
// what the window of both holds. Only Active is then counted once for each.
func Merge(snapshots ...*Snapshot) *Snapshot {
	out := &Snapshot{}
	index := newPathIndex()
	var blocks []Block
	var nodes []Stats
	for _, s := range snapshots {
		if s == nil {
			continue
		}
		out.mergeMeta(s)
		sites, paths := index.add(s)
		blocks = slices.Grow(blocks, len(index.sites)-len(blocks))[:len(index.sites)]
		for i, site := range sites {
			blocks[site].Site = s.Blocks[i].Site
			blocks[site].Stats.add(&s.Blocks[i].Stats)
			blocks[site].Pending = addSatInt(blocks[site].Pending, s.Blocks[i].Pending)
		}
		nodes = slices.Grow(nodes, len(index.paths)-len(nodes))[:len(index.paths)]
		for i, path := range paths {
			nodes[path].add(&s.Nodes[i].Stats)
		}
	}
	out.Names, out.DisabledTracks = asSet(out.Names), asSet(out.DisabledTracks)
	if len(blocks) > 0 {
		out.Blocks, out.Nodes = index.assemble(blocks, nodes)
	}
	return out
}

// Merge returns the profile of everything in s and o; see the function [Merge].
func (s *Snapshot) Merge(o *Snapshot) *Snapshot { return Merge(s, o) }

// mergeMeta merges what is neither a block nor a node. Names and DisabledTracks are left to be made sets.
func (s *Snapshot) mergeMeta(o *Snapshot) {
	s.Names = append(s.Names, o.Names...)
	s.DisabledTracks = append(s.DisabledTracks, o.DisabledTracks...)
	s.Counters.each(&o.Counters, func(a *uint64, b uint64) { *a = addSat(*a, b) })
	if !o.Start.IsZero() && (s.Start.IsZero() || o.Start.Before(s.Start)) {
		s.Start = plainTime(o.Start)
	}
	if o.End.After(s.End) {
		s.End = plainTime(o.End)
	}
}

// asSet sorts names and removes duplicates.
func asSet(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// plainTime removes what two equal moments may differ in: the location and the monotonic clock's reading.
func plainTime(t time.Time) time.Time { return t.Round(0).UTC() }
