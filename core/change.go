package core

// Change is how one block or one node differs.
type Change struct {
	// Site is the site of the block, or of the node.
	Site Site
	// Path is the sites from the root to the node, the last one being Site; nil for a block.
	Path []Site
	// Before and After are the statistics, never nil.
	Before, After *Stats
	// Verdict is the worse one of Durations and Errors, or tells why there is none.
	Verdict Verdict
	// Durations tests whether the durations differ, Errors whether the error rates do.
	Durations, Errors Test
	// Superiority is the probability that a random call after takes longer than one before, with equal ones counted
	// half: 0.5 means no difference.
	Superiority float64
	// Impact is by how many nanoseconds the calls after took longer in all, in their own code, than as many calls
	// before. It is counted in self time, so that a slow function stands above its callers.
	Impact float64

	// Count is the number of calls, ErrorRate the part of them that failed, from 0 to 1.
	Count, ErrorRate Delta
	// Rate is in calls per second of the snapshots' windows, 0 for a snapshot without one.
	Rate Delta
	// Mean, P50, P95, P99 and SelfMean are durations of a call in nanoseconds: the mean, quantiles, and the mean self
	// time.
	Mean, P50, P95, P99, SelfMean Delta
	// Self and Total are sums over all calls in nanoseconds.
	Self, Total Delta
}

// Delta is a figure before and after.
type Delta struct{ Before, After float64 }

// Difference returns After − Before.
func (d Delta) Difference() float64 { return d.After - d.Before }

// Relative returns the change as a part of Before: 0.5 for half as much again. From 0 to 0 is no change, from 0 to
// anything else is infinite.
func (d Delta) Relative() float64 {
	if d.Before == d.After {
		return 0
	}
	return d.After/d.Before - 1
}

// Test is the outcome of one statistical test.
type Test struct {
	// P is the probability of a difference at least as large if nothing changed; 1 where too little is known to test.
	P float64
	// Q is P adjusted for the number of blocks, or of nodes, that were tested; see DiffOptions.Alpha.
	Q float64
	// Verdict is Regression, Improvement or Unchanged.
	Verdict Verdict
}

// Verdict says what became of a block or node. The order is that of importance.
type Verdict uint8

// The verdicts.
const (
	// Regression: slower, or with more errors.
	Regression Verdict = iota
	// Improvement: faster, or with fewer errors, and not worse in the other respect.
	Improvement
	// Appeared: there are observations only after.
	Appeared
	// Disappeared: there are observations only before.
	Disappeared
	// Inconclusive: there are fewer observations than DiffOptions.MinCount before or after.
	Inconclusive
	// Unchanged: nothing significant that matters.
	Unchanged
)

var verdictNames = [...]string{"regression", "improvement", "appeared", "disappeared", "inconclusive", "unchanged"}

// String returns the verdict's lower-case name.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "unknown"
}

// MarshalText writes the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// measure fills in the figures.
func (c *Change) measure(seconds Delta) {
	of := func(f func(*Stats) float64) Delta { return Delta{f(c.Before), f(c.After)} }
	c.Count = of(func(s *Stats) float64 { return float64(s.Count) })
	c.ErrorRate = of((*Stats).ErrorRate)
	c.Mean = of((*Stats).Mean)
	c.P50 = of(func(s *Stats) float64 { return s.Quantile(0.50) })
	c.P95 = of(func(s *Stats) float64 { return s.Quantile(0.95) })
	c.P99 = of(func(s *Stats) float64 { return s.Quantile(0.99) })
	c.Self = of(func(s *Stats) float64 { return float64(s.Self) })
	c.Total = of(func(s *Stats) float64 { return float64(s.Total) })
	c.SelfMean = of(func(s *Stats) float64 { return float64(s.Self) / float64(max(s.Count, 1)) })
	if seconds.Before > 0 {
		c.Rate.Before = c.Count.Before / seconds.Before
	}
	if seconds.After > 0 {
		c.Rate.After = c.Count.After / seconds.After
	}
	c.Impact = c.SelfMean.Difference() * c.Count.After
	if c.After.Count == 0 {
		c.Impact = -c.Self.Before
	}
}

// judge gives the verdicts.
func (c *Change) judge(o DiffOptions) {
	switch {
	case c.Before.Count == 0:
		c.Verdict = Appeared
		return
	case c.After.Count == 0:
		c.Verdict = Disappeared
		return
	case min(c.Before.Count, c.After.Count) < o.MinCount:
		c.Verdict = Inconclusive
		return
	}
	grew := func(from, to float64) bool { return to > from && to >= from*(1+o.MinChange) }
	if c.Durations.Q < o.Alpha {
		switch {
		case c.Superiority > 0.5 && (grew(c.Mean.Before, c.Mean.After) || grew(c.P50.Before, c.P50.After)):
			c.Durations.Verdict = Regression
		case c.Superiority < 0.5 && (grew(c.Mean.After, c.Mean.Before) || grew(c.P50.After, c.P50.Before)):
			c.Durations.Verdict = Improvement
		}
	}
	if c.Errors.Q < o.Alpha {
		switch {
		case grew(c.ErrorRate.Before, c.ErrorRate.After):
			c.Errors.Verdict = Regression
		case grew(c.ErrorRate.After, c.ErrorRate.Before):
			c.Errors.Verdict = Improvement
		}
	}
	c.Verdict = min(c.Durations.Verdict, c.Errors.Verdict)
}
