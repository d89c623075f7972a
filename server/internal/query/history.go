package query

import (
	"context"
	"fmt"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// MaxPoints is into how many periods a history can be divided.
const MaxPoints = 2000

// Step returns the number of minutes in a step so that a range has at most so many steps. Steps begin at multiples of
// their length since 1970, as store.Reader.Profiles cuts them.
func (e *Engine) Step(ctx context.Context, within store.Range, points int) (int, error) {
	within, err := e.closed(ctx, within)
	if err != nil {
		return 0, err
	}
	minutes := int(within.To.Sub(within.From) / time.Minute)
	if minutes <= points {
		return 1, nil
	}
	whole := max(points-1, 1) // the first and the last step are cut if the range does not begin with one
	return (minutes + whole - 1) / whole, nil
}

// closed returns the range in whole minutes with its open ends where the spans end.
func (e *Engine) closed(ctx context.Context, within store.Range) (store.Range, error) {
	if within.From.IsZero() || within.To.IsZero() {
		size, err := e.store.Size(ctx)
		if err != nil {
			return within, fmt.Errorf("read the size: %w", err)
		}
		if within.To.IsZero() {
			within.To = size.Newest.Add(time.Minute)
		}
		if within.From.IsZero() {
			within.From = size.Oldest
		}
		if !within.From.Before(within.To) {
			within.From = within.To.Add(-time.Minute)
		}
	}
	return WholeMinutes(within), nil
}

// Trend is the history of some blocks. Times are the beginnings of the steps that have spans, ascending.
type Trend struct {
	// Step is the length of a step.
	Step  time.Duration
	Times []time.Time
	// Stats has for every block the statistics in each of Times.
	Stats [][]core.Stats
}

func (e *Engine) trend(ctx context.Context, within store.Range, points int, blocks []*core.Block) (*Trend, error) {
	step, err := e.Step(ctx, within, points)
	if err != nil {
		return nil, err
	}
	t := &Trend{Step: time.Duration(step) * time.Minute, Stats: make([][]core.Stats, len(blocks))}
	index := make(map[core.Site]int, len(blocks))
	for i, b := range blocks {
		index[b.Site] = i
	}
	err = e.store.Profiles(ctx, WholeMinutes(within), step, func(minute int64, s *core.Snapshot) error {
		t.Times = append(t.Times, time.Unix(minute*60, 0).UTC())
		for i := range t.Stats {
			t.Stats[i] = append(t.Stats[i], core.Stats{})
		}
		for i := range s.Blocks {
			if at, ok := index[s.Blocks[i].Site]; ok {
				t.Stats[at][len(t.Times)-1] = s.Blocks[i].Stats
			}
		}
		return nil
	})
	return t, err
}

// History is the statistics of something over time.
type History struct {
	// Within is the period covered, Step the length of a step.
	Within store.Range
	Step   time.Duration
	// Times are the beginnings of the steps that have spans, ascending, and Stats what is in them.
	Times []time.Time
	Stats []core.Stats
	// Sum is all of it.
	Sum core.Stats
}

// History returns the merged statistics, step by step, of the blocks that keep says. A step has so many minutes; 0 divides
// the range into at most MaxPoints/10 steps.
func (e *Engine) History(ctx context.Context, within store.Range, step int, keep func(core.Site) bool) (*History, error) {
	within, err := e.closed(ctx, within)
	if err != nil {
		return nil, err
	}
	if step == 0 {
		if step, err = e.Step(ctx, within, MaxPoints/10); err != nil {
			return nil, err
		}
	}
	if steps := int64(within.To.Sub(within.From)/time.Minute) / int64(step); steps > MaxPoints {
		return nil, Invalidf("make the step longer or the period shorter", "%d steps are too many, at most %d are possible", steps, MaxPoints)
	}
	h := &History{Within: within, Step: time.Duration(step) * time.Minute}
	err = e.store.Profiles(ctx, within, step, func(minute int64, s *core.Snapshot) error {
		var stats core.Stats
		for i := range s.Blocks {
			if keep(s.Blocks[i].Site) {
				stats = stats.Merge(s.Blocks[i].Stats)
			}
		}
		if stats.Count > 0 {
			h.Times, h.Stats = append(h.Times, time.Unix(minute*60, 0).UTC()), append(h.Stats, stats)
			h.Sum = h.Sum.Merge(stats)
		}
		return nil
	})
	return h, err
}

// HeatMap is the history of a block's durations: for each of History.Times a row of counts.
type HeatMap struct {
	*History
	Site core.Site
	// Buckets are those of all rows, in OTLP's form: bucket i of Counts is number Offset+i at Scale. Its Counts are the
	// sums of the rows'.
	Buckets core.Dense
	// Rows have the counts of the buckets, Zeros those of the durations 0.
	Rows  [][]uint64
	Zeros []uint64
}

// HeatMap returns the heat map of the block with the BlockID, with at most so many buckets, in steps of so many minutes or
// as History chooses them.
func (e *Engine) HeatMap(ctx context.Context, within store.Range, id string, step, buckets int) (*HeatMap, error) {
	site, err := e.site(ctx, within, id)
	if err != nil {
		return nil, err
	}
	h, err := e.History(ctx, within, step, func(s core.Site) bool { return s == site })
	if err != nil {
		return nil, err
	}
	m := &HeatMap{History: h, Site: site, Buckets: h.Sum.Histogram.Dense(buckets)}
	m.Rows, m.Zeros = make([][]uint64, len(h.Stats)), make([]uint64, len(h.Stats))
	for i := range h.Stats {
		m.Rows[i] = Spread(h.Stats[i].Histogram, m.Buckets)
		m.Zeros[i] = h.Stats[i].Histogram.Zero
	}
	return m, nil
}

// Spread returns the counts of a histogram in the buckets of another one that has room for all of them.
func Spread(h core.Histogram, buckets core.Dense) []uint64 {
	counts := make([]uint64, len(buckets.Counts))
	for b := range h.All {
		// An index at a smaller scale is the index shifted: merging pairs of buckets halves it, rounded down.
		counts[int(b.Index)>>(core.Scale-buckets.Scale)-buckets.Offset] += b.Count
	}
	return counts
}
