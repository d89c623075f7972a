package core

// statsSum adds up statistics of one Aggregator, which has either all self times or none. Histograms are put together
// when somebody looks, see [sum]; a sum of one shares its histograms.
type statsSum struct {
	stats           *Stats
	durations, self histogramSum
	// own: the histogram of self times, which a summand points to as well at first, is a copy.
	own bool
}

// add adds s. finish must follow before stats are used.
func (t *statsSum) add(s *Stats) {
	switch {
	case s.Count == 0:
	case t.stats.Count == 0:
		*t.stats = *s
	default:
		if s.SelfHistogram != nil {
			if !t.own {
				h := *t.stats.SelfHistogram
				t.stats.SelfHistogram, t.own = &h, true
			}
			t.self.add(t.stats.SelfHistogram, s.SelfHistogram)
		}
		t.durations.add(&t.stats.Histogram, &s.Histogram)
		t.stats.addSums(s)
	}
}

// finish completes stats.
func (t *statsSum) finish() {
	t.durations.finish(&t.stats.Histogram)
	if t.own {
		t.self.finish(t.stats.SelfHistogram)
	}
}

// histogramSum is what a histogram is the sum of, nothing if it is the only one.
type histogramSum []*packed

func (p *histogramSum) add(sum, h *Histogram) {
	if len(*p) == 0 {
		*p = sum.appendParts(*p)
	}
	*p = h.appendParts(*p)
	sum.Zero = addSat(sum.Zero, h.Zero)
}

func (p histogramSum) finish(h *Histogram) {
	if len(p) > 0 {
		*h = sumOf(h.Zero, p)
	}
}
