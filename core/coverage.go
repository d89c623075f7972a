package core

import (
	"cmp"
	"slices"
)

// period is a span of time, from inclusive, to exclusive, in ns since the Unix epoch.
type period struct{ from, to int64 }

// maxPeriods is how many disjoint periods a coverage keeps. A parent needs that many only if it stays open over
// more than a thousand children with gaps between them.
const maxPeriods = 1024

// coverage is the union of the times of a span's children that were filed while the span was open. It takes
// them in any order. It is exact until it has more than maxPeriods gaps; then the oldest periods are summed up, and a
// child that reaches back before them makes the result inexact.
type coverage struct {
	periods []period // disjoint, not touching, ascending
	sealed  period   // the time of the periods summed up
	sum     uint64   // of the periods summed up
	inexact bool
}

// add puts one child's time into the union.
func (c *coverage) add(p period) {
	if p.from < c.sealed.to && c.sum > 0 {
		c.inexact = true
		p.from = c.sealed.to
	}
	if p.to <= p.from {
		return
	}
	n := len(c.periods)
	if n == 0 || p.from > c.periods[n-1].to {
		c.periods = append(c.periods, p)
	} else {
		// i: the first period that ends at or after p's begin; j: the first that begins after p's end.
		i, _ := slices.BinarySearchFunc(c.periods, p.from, func(x period, t int64) int { return cmp.Compare(x.to, t) })
		j := i
		for ; j < n && c.periods[j].from <= p.to; j++ {
			p.from, p.to = min(p.from, c.periods[j].from), max(p.to, c.periods[j].to)
		}
		c.periods = slices.Replace(c.periods, i, j, p)
	}
	if len(c.periods) > maxPeriods {
		c.seal(maxPeriods / 2)
	}
}

// union adds the periods of o. What o has summed up is left out and makes the result inexact.
func (c *coverage) union(o *coverage) {
	for _, p := range o.periods {
		c.add(p)
	}
	c.inexact = c.inexact || o.inexact || o.sum > 0
}

func (c *coverage) seal(n int) {
	if c.sum == 0 {
		c.sealed.from = c.periods[0].from
	}
	for _, p := range c.periods[:n] {
		c.sum += uint64(p.to - p.from)
	}
	c.sealed.to = c.periods[n-1].to
	c.periods = slices.Delete(c.periods, 0, n)
}

// within returns how much of the period w is covered, and whether that is exact.
func (c *coverage) within(w period) (covered uint64, exact bool) {
	covered = c.sum
	exact = !c.inexact && (c.sum == 0 || w.from <= c.sealed.from && c.sealed.to <= w.to)
	for _, p := range c.periods {
		if from, to := max(p.from, w.from), min(p.to, w.to); to > from {
			covered += uint64(to - from)
		}
	}
	return min(covered, uint64(max(w.to-w.from, 0))), exact
}

func (c *coverage) clone() *coverage {
	d := *c
	d.periods = slices.Clone(c.periods)
	return &d
}
