package pipeline

import "sync/atomic"

// Counters are what a pipeline has seen since it was opened, and what it holds.
type Counters struct {
	// Requests is how many requests were acknowledged, Received how many spans they had, Rejected how many spans were
	// refused out of them. Malformed is how many requests were refused as a whole for what they were, Overloaded because
	// there was no room, Failed because the store failed.
	Requests, Received, Rejected, Malformed, Overloaded, Failed uint64
	// Faults is how often something in a request that was acknowledged was refused, cut or left out, by what it was: see
	// faultNames. All are there, also those that never happened.
	Faults map[string]uint64
	// Replayed is how many spans were read from the log at the start.
	Replayed uint64
	// Filed is how many spans were filed, in Traces parts of traces.
	Filed, Traces uint64
	// Duplicates is how many of the filed spans were received before. Late is how many came after their trace was filed,
	// Orphans how many had no parent where they said, Cycles how many were their own ancestors. Moved is how many had
	// times of a clock that was off, Backward how many ended before they started.
	Duplicates, Late, Orphans, Cycles, Moved, Backward uint64
	// Oversized is how many parts of traces were filed because they had too many spans or bytes, Hurried how many because
	// memory was short.
	Oversized, Hurried uint64
	// Profiles is how many profiles came as spans, ProfilesFailed how many of them could not be read.
	Profiles, ProfilesFailed uint64
	// OverflowSites is how many spans were seen whose site had no room.
	OverflowSites uint64
	// Commits is how many segments were committed, CommitErrors how many attempts failed, RetainErrors how many attempts
	// to remove what is too old.
	Commits, CommitErrors, RetainErrors uint64
	// Used is how many bytes of Config.Memory are in use, Pending how many of them by traces that are not filed yet.
	Used, Pending int64
	// Sites is how many sites are known.
	Sites int
}

// counts are the live form of Counters.
type counts struct {
	requests, received, rejected, malformed, overloaded, failed, replayed atomic.Uint64
	filed, traces, duplicates, late, orphans, cycles, moved, backward     atomic.Uint64
	profiles, profilesFailed                                              atomic.Uint64
	oversized, hurried, commits, commitErrors, retainErrors               atomic.Uint64
	used, pending                                                         atomic.Int64
	faults                                                                faults
}

// Counters returns the present state of the counters. They are not of one moment.
func (p *Pipeline) Counters() Counters {
	n := &p.counts
	p.sites.mu.Lock()
	sites := p.sites.n
	p.sites.mu.Unlock()
	return Counters{
		Requests: n.requests.Load(), Received: n.received.Load(), Rejected: n.rejected.Load(),
		Malformed: n.malformed.Load(), Overloaded: n.overloaded.Load(), Failed: n.failed.Load(), Replayed: n.replayed.Load(),
		Filed: n.filed.Load(), Traces: n.traces.Load(), Duplicates: n.duplicates.Load(), Late: n.late.Load(),
		Orphans: n.orphans.Load(), Cycles: n.cycles.Load(), Moved: n.moved.Load(), Backward: n.backward.Load(),
		Faults:   n.faults.read(),
		Profiles: n.profiles.Load(), ProfilesFailed: n.profilesFailed.Load(),
		Oversized: n.oversized.Load(), Hurried: n.hurried.Load(), OverflowSites: p.sites.refused.Load(),
		Commits: n.commits.Load(), CommitErrors: n.commitErrors.Load(), RetainErrors: n.retainErrors.Load(), Used: n.used.Load(), Pending: n.pending.Load(),
		Sites: sites,
	}
}
