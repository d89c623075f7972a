package core

import (
	"cmp"
	"math"
	"slices"
)

// DiffOptions are the rule by which [Diff] calls a change a regression or an improvement. The zero value stands
// for the defaults.
type DiffOptions struct {
	// Alpha is the false discovery rate, the share of false ones that is accepted among the changes called
	// significant: 0.01 by default. A change is significant when its Test.Q is below it.
	Alpha float64
	// MinChange is the least relative change of the mean or of the median, or of the error rate, that matters: 0.05
	// by default, which is 5 % more or its inverse less. Medians are known to 1 %.
	MinChange float64
	// MinCount is how many observations are needed on both sides to test at all: 30 by default.
	MinCount uint64
}

func (o DiffOptions) orDefault() DiffOptions {
	if !(o.Alpha > 0) {
		o.Alpha = 0.01
	}
	if !(o.MinChange > 0) {
		o.MinChange = 0.05
	}
	if o.MinCount == 0 {
		o.MinCount = 30
	}
	return o
}

// Comparison is how a profile differs from an earlier one. It refers to the statistics of both snapshots.
type Comparison struct {
	// Options are those used, with the defaults filled in.
	Options DiffOptions
	// Blocks holds a change for every site with observations in either snapshot. The important ones come first: by
	// Verdict, then by the size of Impact.
	Blocks []Change
	// Nodes holds the same for the nodes of the call tree.
	Nodes []Change
}

// Regressed reports whether any block is slower or has more errors.
func (c *Comparison) Regressed() bool {
	return slices.ContainsFunc(c.Blocks, func(x Change) bool { return x.Verdict == Regression })
}

// Diff compares two profiles, block by block and node by node. nil counts as an empty one.
//
// Durations are compared by a rank-sum test on the histograms, which looks at the whole distribution and assumes no
// shape; error rates by a test of two proportions. Both are adjusted for testing many blocks at once. Both assume
// that observations are independent. Those of a running service are not quite: a slow disk or a collection of garbage
// slows many calls in a row, so that p-values come out too small, and two runs of the same program on
// different machines do differ. Therefore a significant change counts only when it is also as large as
// DiffOptions.MinChange; set that above what two runs of the same program show.
func Diff(before, after *Snapshot, options DiffOptions) *Comparison {
	if before == nil {
		before = &Snapshot{}
	}
	if after == nil {
		after = &Snapshot{}
	}
	options = options.orDefault()
	index := newPathIndex()
	oldSites, oldPaths := index.add(before)
	newSites, newPaths := index.add(after)
	siteOrder, pathOrder := index.order()

	blocks := emptyPairs(len(index.sites))
	for i, site := range oldSites {
		blocks[site].Before = &before.Blocks[i].Stats
	}
	for i, site := range newSites {
		blocks[site].After = &after.Blocks[i].Stats
	}
	for i := range blocks {
		blocks[i].Site = index.sites[i]
	}
	nodes := emptyPairs(len(index.paths))
	for i, path := range oldPaths {
		nodes[path].Before = &before.Nodes[i].Stats
	}
	for i, path := range newPaths {
		nodes[path].After = &after.Nodes[i].Stats
	}
	for i := range nodes {
		nodes[i].Site = index.sites[index.paths[i].site]
		nodes[i].Path = index.path(i)
	}
	seconds := Delta{before.Window().Seconds(), after.Window().Seconds()}
	return &Comparison{
		Options: options,
		Blocks:  evaluate(inOrder(blocks, siteOrder), options, seconds),
		Nodes:   evaluate(inOrder(nodes, pathOrder), options, seconds),
	}
}

func emptyPairs(n int) []Change {
	nothing := &Stats{}
	pairs := make([]Change, n)
	for i := range pairs {
		pairs[i].Before, pairs[i].After = nothing, nothing
	}
	return pairs
}

// inOrder returns the changes that have observations, in the given order.
func inOrder(changes []Change, order []int) []Change {
	out := make([]Change, 0, len(changes))
	for _, i := range order {
		if changes[i].Before.Count > 0 || changes[i].After.Count > 0 {
			out = append(out, changes[i])
		}
	}
	return out
}

// evaluate fills in everything about the pairs of statistics, which are one family of tests, and sorts them.
func evaluate(changes []Change, options DiffOptions, seconds Delta) []Change {
	var tested []*Change
	var durations, errors []float64
	for i := range changes {
		c := &changes[i]
		c.measure(seconds)
		ranks := compareDurations(c.Before.Histogram, c.After.Histogram)
		c.Superiority = ranks.superiority
		c.Durations, c.Errors = Test{1, 1, Unchanged}, Test{1, 1, Unchanged}
		if min(c.Before.Count, c.After.Count) < options.MinCount {
			continue
		}
		c.Durations.P = ranks.p
		c.Errors.P = compareProportions(c.Before.Errors, c.Before.Count, c.After.Errors, c.After.Count)
		tested = append(tested, c)
		durations, errors = append(durations, c.Durations.P), append(errors, c.Errors.P)
	}
	durations, errors = adjust(durations), adjust(errors)
	for i, c := range tested {
		c.Durations.Q, c.Errors.Q = durations[i], errors[i]
	}
	for i := range changes {
		changes[i].judge(options)
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(math.Abs(b.Impact), math.Abs(a.Impact)))
	})
	return changes
}
