package otelproftest

import (
	"fmt"

	"github.com/stichotrope/stichotrope-go/core"
)

// AtMostPerParent asserts that the site was called, and at most n times within any single call of its parent. This finds
// the N+1 pattern: a query that runs once for each row of another one.
//
// The parent of a span is the span above it in the process. Every call counts, so one bad request among thousands is
// found. Of blocks only totals are known: where the site or its parent is a block, the average over the calls of the
// parent must be at most n.
//
// Calls without a parent count alone. If there are no others the assertion fails, as it would prove nothing: start a span
// around the code under test.
func (s Site) AtMostPerParent(n int) Site {
	s.rec.tb.Helper()
	found, ok := s.called()
	if !ok {
		return s
	}
	c, lost := s.rec.log.perParent(s, n)
	b := found.blockCrowd(n, parentsOf)
	switch {
	case s.overcrowded(found, c, b, n, "its parent "):
	case c.all == 0 && b.all == 0:
		s.rec.fail(found.snapshot, s.matchesSite, "no call of %s has a parent that has ended, so that there is nothing to check: start a span around the code under test",
			found.where())
	case lost > 0:
		s.rec.tooMany(lost)
	}
	return s
}

// AtMostPerCallOf asserts that both sites were called, and that s was called at most n times within any single call of
// the enclosing site, at any depth below it. It finds N+1 patterns through layers: a handler that loads items one by one,
// each by a span with one query. With n 0 it asserts that there is no such call, else there must be one. What is said of
// blocks at [Site.AtMostPerParent] holds here.
func (s Site) AtMostPerCallOf(enclosing Site, n int) Site {
	s.rec.tb.Helper()
	found, ok := s.called()
	if !ok {
		return s
	}
	if _, ok := enclosing.called(); !ok {
		return s
	}
	c, lost := s.rec.log.perCallOf(s, enclosing, n)
	b := found.blockCrowd(n, func(s *core.Snapshot, i int) []int { return ancestorsOf(s, i, enclosing) })
	switch {
	case s.overcrowded(found, c, b, n, ""):
	case c.all == 0 && b.all == 0 && n > 0:
		s.rec.fail(found.snapshot, s.matchesSite, "no call of %s is within a call of %v, so that there is nothing to check: is the context passed on?",
			found.where(), enclosing)
	case lost > 0:
		s.rec.tooMany(lost)
	}
	return s
}

// overcrowded fails the test, and returns true, if there were more than n calls of the site within a call of another
// one. The relation stands before the name of that one in the message.
func (s Site) overcrowded(found selection, c crowd, b blockCrowd, n int, relation string) bool {
	s.rec.tb.Helper()
	switch {
	case c.over > 0:
		s.rec.fail(found.snapshot, s.matchesSite, "%s was called %s within one call of %s%s, want at most %d%s; is this an N+1?",
			found.where(), times(uint64(c.most)), relation, c.name(), n, c.share())
	case b.over > 0:
		s.rec.fail(found.snapshot, s.matchesSite, "%s was called %.3g times on average within a call of %s%s, want at most %d; is this an N+1?",
			found.where(), b.most, relation, label(b.within.track, b.within.name), n)
	}
	return c.over > 0 || b.over > 0
}

func (r *Recorder) tooMany(lost int) {
	r.tb.Helper()
	r.tb.Errorf("otelproftest: single calls cannot be checked: %d spans ended after the first %d; call Recorder.Reset between the phases of the test",
		lost, maxCalls)
}

func (c *crowd) name() string {
	if !c.known {
		return "(which has not ended)"
	}
	return label(c.within.track, c.within.name)
}

// share tells how common it is to be over the limit.
func (c *crowd) share() string {
	if c.all == 1 {
		return ""
	}
	return fmt.Sprintf(", and more than that in %d of %d calls", c.over, c.all)
}

// blockCrowd is a crowd of which only averages are known.
type blockCrowd struct {
	most      float64
	within    siteName
	over, all int
}

// blockCrowd compares the totals of the nodes selected with those of the nodes around them, which are by index. It looks
// only where one of the two is a block; the call log knows the others better.
func (s selection) blockCrowd(limit int, around func(s *core.Snapshot, node int) []int) blockCrowd {
	nodes := s.snapshot.Nodes
	counts := make([]uint64, len(nodes))
	for i, n := range nodes {
		site := s.snapshot.Site(n)
		if !s.matchesSite(site) {
			continue
		}
		for _, a := range around(s.snapshot, i) {
			if site.Kind == core.KindBlock || s.snapshot.Site(nodes[a]).Kind == core.KindBlock {
				counts[a] += n.Stats.Count
			}
		}
	}
	var c blockCrowd
	for a, count := range counts {
		if count == 0 {
			continue
		}
		c.all++
		// One that is open has no calls yet.
		if average := float64(count) / float64(max(nodes[a].Stats.Count, 1)); average > max(c.most, float64(limit)) {
			c.over++
			site := s.snapshot.Site(nodes[a])
			c.most, c.within = average, siteName{site.Track, site.Name}
		}
	}
	return c
}

// parentsOf returns the parent of a node, none for a root.
func parentsOf(s *core.Snapshot, node int) []int {
	if p := s.Nodes[node].Parent; p >= 0 {
		return []int{p}
	}
	return nil
}

// ancestorsOf returns the ancestors of a node that match.
func ancestorsOf(s *core.Snapshot, node int, enclosing Site) []int {
	var found []int
	for p := s.Nodes[node].Parent; p >= 0; p = s.Nodes[p].Parent {
		if enclosing.matchesSite(s.Site(s.Nodes[p])) {
			found = append(found, p)
		}
	}
	return found
}
