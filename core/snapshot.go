package core

import (
	"slices"
	"strings"
	"time"
)

// Snapshot is an immutable, self-contained copy of a profile at one moment, or of the difference or the
// sum of such profiles. Treat its fields as read-only; every method leaves the receiver as it is. The zero
// value is an empty profile and the identity of Merge.
type Snapshot struct {
	// Names are the profilers that the snapshot came from, ascending and without duplicates.
	Names []string
	// Start is since when observations are in the snapshot, End when it was taken. Zero in an empty profile.
	Start, End time.Time
	// Blocks hold the statistics of every site, in ascending order of Site.
	Blocks []Block
	// Nodes are the call tree in depth-first order: a parent stands before its children, siblings are in
	// ascending order of Site. A node's observations are those of its site reached by its path. For each
	// block the counts of its nodes and Block.Pending add up to the count of the block.
	Nodes []Node
	// DisabledTracks are the tracks that were switched off, ascending.
	DisabledTracks []string
	// Counters tell what the limits and unusual input did.
	Counters Counters
}

// Block is the statistics of one site.
type Block struct {
	Site  Site
	Stats Stats
	// Pending is how many of Stats.Count are not in the call tree yet, because a local ancestor of theirs, whose
	// name may still change, has not ended; all of them if no call tree is kept. In a difference it is the change of
	// that number, and negative where the tree received more observations of before Start than it still lacks.
	Pending int64
}

// Node is a site under the chain of its parents.
type Node struct {
	// Parent is the index of the parent in Snapshot.Nodes, -1 for a root. It is less than the node's own index.
	Parent int
	// Block is the index of the node's site in Snapshot.Blocks.
	Block int
	// Stats are the statistics of the path. Active is counted per block only and 0 here.
	Stats Stats
}

// Counters count what a profiler saw and what its limits did, since Snapshot.Start.
type Counters struct {
	// Spans is how many spans and blocks ended and were recorded.
	Spans uint64 `json:"spans"`
	// OverflowSites is how many observations went to OverflowSite because of Limits.MaxSites.
	OverflowSites uint64 `json:"overflow_sites"`
	// OverflowNodes is how many observations went to the overflow branch of the tree because of Limits.MaxNodes
	// or Limits.MaxDepth. They are exact in their block.
	OverflowNodes uint64 `json:"overflow_nodes"`
	// Evicted is how many open spans were given up because of Limits.MaxActive.
	Evicted uint64 `json:"evicted"`
	// Unstarted is how many spans ended whose start was not seen, or whose record was evicted. They are exact in
	// their block, roots in the tree, and all of their time counts as self time.
	Unstarted uint64 `json:"unstarted"`
	// Detached is how many spans started when their local parent had already ended or was not seen. They are
	// roots in the tree.
	Detached uint64 `json:"detached"`
	// Settled is how many ended spans were filed under the present names of ancestors that were still open,
	// because of Limits.MaxPending.
	Settled uint64 `json:"settled"`
	// Duplicates is how many starts and ends of spans that had already started or ended were ignored.
	Duplicates uint64 `json:"duplicates"`
	// Clamped is how many spans ended before they started and were counted with duration 0.
	Clamped uint64 `json:"clamped"`
	// Truncated is how often a name was cut at Limits.MaxName or had invalid UTF-8 replaced.
	Truncated uint64 `json:"truncated"`
	// SelfInexact is how many spans have a self time that is only an upper bound, because a child with an explicit
	// start lay before more than a thousand disjoint periods already summed up.
	SelfInexact uint64 `json:"self_inexact"`
	// Panics is how many panics, of the profiler or of functions given to it, were recovered.
	Panics uint64 `json:"panics"`
}

// each calls f for every counter of c with the same counter of o.
func (c *Counters) each(o *Counters, f func(a *uint64, b uint64)) {
	f(&c.Spans, o.Spans)
	f(&c.OverflowSites, o.OverflowSites)
	f(&c.OverflowNodes, o.OverflowNodes)
	f(&c.Evicted, o.Evicted)
	f(&c.Unstarted, o.Unstarted)
	f(&c.Detached, o.Detached)
	f(&c.Settled, o.Settled)
	f(&c.Duplicates, o.Duplicates)
	f(&c.Clamped, o.Clamped)
	f(&c.Truncated, o.Truncated)
	f(&c.SelfInexact, o.SelfInexact)
	f(&c.Panics, o.Panics)
}

// Name returns the names of the profilers, joined by ", ".
func (s *Snapshot) Name() string { return strings.Join(s.Names, ", ") }

// IsEmpty reports whether nothing was recorded and nothing is active.
func (s *Snapshot) IsEmpty() bool { return len(s.Blocks) == 0 }

// Window returns how long the snapshot covers, 0 when empty.
func (s *Snapshot) Window() time.Duration {
	if s.Start.IsZero() {
		return 0
	}
	return s.End.Sub(s.Start)
}

// Block returns the block of a site, or nil.
func (s *Snapshot) Block(site Site) *Block {
	i, ok := slices.BinarySearchFunc(s.Blocks, site, func(b Block, t Site) int { return b.Site.Compare(t) })
	if !ok {
		return nil
	}
	return &s.Blocks[i]
}

// Site returns the site of a node.
func (s *Snapshot) Site(n Node) Site { return s.Blocks[n.Block].Site }

// Path returns the sites from the root to the node with the index i.
func (s *Snapshot) Path(i int) []Site {
	var path []Site
	for ; i >= 0; i = s.Nodes[i].Parent {
		path = append(path, s.Site(s.Nodes[i]))
	}
	slices.Reverse(path)
	return path
}

// Track is a group of blocks.
type Track struct {
	// Service is that of the track's sites, as in [Site].
	Service string
	Name    string
	Enabled bool
	// Blocks are the blocks of the track, a part of Snapshot.Blocks.
	Blocks []Block
	// Stats are the merged statistics of the blocks.
	Stats Stats
}

// Tracks returns the blocks grouped by track, in ascending order of service and name.
func (s *Snapshot) Tracks() []Track {
	tracks := []Track{}
	for i := 0; i < len(s.Blocks); {
		t := Track{Service: s.Blocks[i].Site.Service, Name: s.Blocks[i].Site.Track}
		j := i
		for ; j < len(s.Blocks) && s.Blocks[j].Site.Track == t.Name && s.Blocks[j].Site.Service == t.Service; j++ {
			t.Stats = t.Stats.Merge(s.Blocks[j].Stats)
		}
		t.Blocks = s.Blocks[i:j:j]
		_, off := slices.BinarySearch(s.DisabledTracks, t.Name)
		t.Enabled = !off
		tracks = append(tracks, t)
		i = j
	}
	return tracks
}

// Total returns the merged statistics of all blocks. Its Total counts nested time once per level; Self does not.
func (s *Snapshot) Total() Stats {
	var t Stats
	for i := range s.Blocks {
		t.add(&s.Blocks[i].Stats)
	}
	return t
}
