package core

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
	"unicode/utf8"
)

// Validate returns an error that names the first thing in the snapshot that contradicts what the types promise: the
// order of blocks and nodes, counts that do not add up, a mean outside of the extremes, text that is not UTF-8.
// What an [Aggregator], [Merge] or [Snapshot.Sub] returns is valid; the encoders and decoders refuse what is not.
func (s *Snapshot) Validate() error {
	if err := checkSet("names", s.Names); err != nil {
		return err
	}
	if err := checkSet("disabled tracks", s.DisabledTracks); err != nil {
		return err
	}
	if err := checkMoment("start", s.Start); err != nil {
		return err
	}
	if err := checkMoment("end", s.End); err != nil {
		return err
	}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		if err := b.validate(); err != nil {
			return fmt.Errorf("block %d (%.100q): %w", i, b.Site.String(), err)
		}
		if i > 0 && s.Blocks[i-1].Site.Compare(b.Site) >= 0 {
			return fmt.Errorf("block %d (%.100q) is a duplicate or out of order", i, b.Site.String())
		}
	}
	if err := s.checkTree(); err != nil {
		return err
	}
	return s.checkNodeCounts()
}

// checkSet refuses a list that is not ascending, has duplicates or invalid text.
func checkSet(what string, names []string) error {
	for i, name := range names {
		if !utf8.ValidString(name) {
			return fmt.Errorf("%s: %.100q is not valid UTF-8", what, name)
		}
		if i > 0 && names[i-1] >= name {
			return fmt.Errorf("%s: %.100q is a duplicate or out of order", what, name)
		}
	}
	return nil
}

var (
	earliestMoment = time.Unix(0, math.MinInt64)
	latestMoment   = time.Unix(0, math.MaxInt64)
)

// checkMoment refuses what does not fit into 64 bits of nanoseconds since the Unix epoch.
func checkMoment(what string, t time.Time) error {
	if !t.IsZero() && (t.Before(earliestMoment) || t.After(latestMoment)) {
		return fmt.Errorf("%s: year %d is not in 1678 to 2262", what, t.Year())
	}
	return nil
}

func (b *Block) validate() error {
	for _, text := range b.Site.texts() {
		if !utf8.ValidString(*text) {
			return fmt.Errorf("%.100q is not valid UTF-8", *text)
		}
	}
	if b.Site.Line < 0 || b.Site.Line > math.MaxInt32 {
		return fmt.Errorf("line %d", b.Site.Line)
	}
	return b.Stats.validate()
}

func (s *Stats) validate() error {
	if err := s.Histogram.validate(); err != nil {
		return err
	}
	switch n := s.Histogram.Count(); {
	case s.Count != n:
		return fmt.Errorf("%d observations, but %d in the histogram", s.Count, n)
	case s.Errors > s.Count:
		return fmt.Errorf("%d errors in %d observations", s.Errors, s.Count)
	case s.Active < 0:
		return fmt.Errorf("%d active", s.Active)
	case s.Self > s.Total:
		return fmt.Errorf("self time %d ns exceeds the total of %d ns", s.Self, s.Total)
	case s.Critical > s.Total:
		return fmt.Errorf("critical time %d ns exceeds the total of %d ns", s.Critical, s.Total)
	case s.First > s.Last:
		return errors.New("the earliest start is after the latest end")
	}
	for _, e := range []Exemplar{s.Slowest, s.LastError} {
		if e.IsZero() && e != (Exemplar{}) {
			return errors.New("an exemplar without a trace and span id")
		}
	}
	if err := s.checkSelfHistogram(); err != nil {
		return err
	}
	if s.Count == 0 {
		if s.Total|s.Min|s.Max|s.Unsampled != 0 || s.First|s.Last != 0 || s.SumSquares != (Uint128{}) ||
			!s.Slowest.IsZero() || !s.LastError.IsZero() {
			return errors.New("statistics of no observation")
		}
		return nil
	}
	return s.checkExtremes()
}

// checkSelfHistogram refuses self times that are not as many as durations, or longer.
func (s *Stats) checkSelfHistogram() error {
	h := s.SelfHistogram
	if h == nil {
		return nil
	}
	if err := h.validate(); err != nil {
		return fmt.Errorf("self times: %w", err)
	}
	if n := h.Count(); n != s.Count || n == 0 {
		return fmt.Errorf("%d observations, but %d self times", s.Count, n)
	}
	if _, last, ok := h.outermost(); ok && last > bucketOf(s.Max) {
		return fmt.Errorf("a self time in bucket %d, but no duration above %d ns", last, s.Max)
	}
	return nil
}

// checkExtremes refuses extremes that are not in the outermost buckets, and a mean that is not between them.
func (s *Stats) checkExtremes() error {
	lowest, highest := zeroBucket, zeroBucket
	if first, last, ok := s.Histogram.outermost(); ok {
		highest = last
		if s.Histogram.Zero == 0 {
			lowest = first
		}
	}
	if bucketOf(s.Min) != lowest || bucketOf(s.Max) != highest || s.Min > s.Max {
		return fmt.Errorf("durations of %d to %d ns are not those in the histogram", s.Min, s.Max)
	}
	if s.Total == math.MaxUint64 || s.Count == math.MaxUint64 {
		return nil // saturated
	}
	leastHi, leastLo := bits.Mul64(s.Count, s.Min)
	mostHi, mostLo := bits.Mul64(s.Count, s.Max)
	total := Uint128{0, s.Total}
	if total.less(Uint128{leastHi, leastLo}) || (Uint128{mostHi, mostLo}).less(total) {
		return fmt.Errorf("a total of %d ns in %d observations of %d to %d ns", s.Total, s.Count, s.Min, s.Max)
	}
	return nil
}

// zeroBucket stands for the count of zeros, below all buckets.
const zeroBucket = minBucket - 1

func bucketOf(v uint64) int {
	if v == 0 {
		return zeroBucket
	}
	return BucketIndex(v)
}

func (h Histogram) validate() error {
	before := zeroBucket
	for b := range h.All {
		switch {
		case b.Index < minBucket || b.Index > maxBucket:
			return fmt.Errorf("histogram: bucket index %d is not in %d to %d", b.Index, minBucket, maxBucket)
		case b.Count == 0:
			return fmt.Errorf("histogram: bucket %d is empty", b.Index)
		case int(b.Index) <= before:
			return fmt.Errorf("histogram: bucket %d is a duplicate or out of order", b.Index)
		}
		before = int(b.Index)
	}
	return nil
}

// checkTree refuses nodes that are not in canonical order.
func (s *Snapshot) checkTree() error {
	var open []int // the path to the node before
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Block < 0 || n.Block >= len(s.Blocks) {
			return fmt.Errorf("node %d: there is no block %d", i, n.Block)
		}
		sibling := -1 // the one before
		for len(open) > 0 && open[len(open)-1] != n.Parent {
			sibling, open = open[len(open)-1], open[:len(open)-1]
		}
		if len(open) == 0 && n.Parent != -1 {
			return fmt.Errorf("node %d: parent %d is not on the path to the node before it", i, n.Parent)
		}
		if sibling >= 0 && s.Nodes[sibling].Block >= n.Block {
			return fmt.Errorf("node %d: a duplicate of its sibling %d, or out of order", i, sibling)
		}
		if err := n.Stats.validate(); err != nil {
			return fmt.Errorf("node %d (%.100q): %w", i, s.Site(*n).String(), err)
		}
		open = append(open, i)
	}
	return nil
}

// checkNodeCounts refuses blocks whose observations are not those of their nodes and the pending ones.
func (s *Snapshot) checkNodeCounts() error {
	counts := make([]uint64, len(s.Blocks))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		counts[n.Block] = addSat(counts[n.Block], n.Stats.Count)
	}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		in, out := counts[i], b.Stats.Count
		if b.Pending >= 0 {
			in = addSat(in, uint64(b.Pending))
		} else {
			out = addSat(out, -uint64(b.Pending))
		}
		if in != out {
			return fmt.Errorf("block %d (%.100q): %d observations, but %d in its nodes and %d pending",
				i, b.Site.String(), b.Stats.Count, counts[i], b.Pending)
		}
	}
	return nil
}
