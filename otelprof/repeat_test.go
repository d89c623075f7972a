package otelprof

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// sleeps returns a function that takes one of these times after the other. Inside of a synctest bubble it takes them
// exactly.
func sleeps(times ...time.Duration) func(context.Context) error {
	i := 0
	return func(context.Context) error {
		time.Sleep(times[i%len(times)])
		i++
		return nil
	}
}

func TestRepeatCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProfiler(t)
		const ms = time.Millisecond
		setups := 0
		o := RepeatOptions{Count: 5, Warmup: 2, Bytes: 1 << 20, Setup: func(context.Context) error {
			setups++
			time.Sleep(time.Hour) // is not measured
			return nil
		}}
		r, err := p.Repeat(t.Context(), "parser", "decode", o, sleeps(99*ms, 99*ms, 2*ms, 4*ms, 4*ms, 4*ms, 6*ms))
		require.NoError(t, err)
		require.Equal(t, 7, setups)
		require.Equal(t, RepeatResult{
			Track: "parser", Name: "decode", N: 5, Bytes: 1 << 20,
			Total: 20 * ms, Mean: 4 * ms, Min: 2 * ms, Max: 6 * ms,
			StdDev: 1414214,                // √2 ms
			Low:    2244022, High: 5755978, // 4 ms ± 2.776445 · √(2/5) ms
			Durations: []time.Duration{2 * ms, 4 * ms, 4 * ms, 4 * ms, 6 * ms},
		}, r)
		require.InEpsilon(t, 5*(1<<20)/0.020, r.Bandwidth(), 1e-12)
		require.InEpsilon(t, (1<<20)/0.002, r.BestBandwidth(), 1e-12)
		require.Equal(t, `"decode": 5 runs, mean 4ms (95 % between 2.244ms and 5.756ms), σ 1.414ms, min 2ms, max 6ms,`+
			" 250 MiB/s (best 500 MiB/s)", r.String())

		require.Len(t, p.Snapshot().Blocks, 1)
		b := p.Snapshot().Blocks[0]
		require.Equal(t, core.Site{
			Track: "parser", Name: "decode", Kind: core.KindBlock, Function: b.Site.Function, File: b.Site.File, Line: b.Site.Line,
		}, b.Site)
		require.Equal(t, "repeat_test.go", filepath.Base(b.Site.File), "the call site is the caller of Repeat")
		require.Equal(t, uint64(5), b.Stats.Count)
		require.Equal(t, uint64(20*ms), b.Stats.Total)
		require.Equal(t, uint64(5<<20), b.Stats.Bytes)
	})
}

func TestRepeatSearchesForTheBestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		times := []time.Duration{50 * ms, 40 * ms, 45 * ms, 30 * ms}
		for range 100 {
			times = append(times, 31*ms, 30*ms) // never a new best
		}
		r, err := newProfiler(t).Repeat(t.Context(), "a", "b", RepeatOptions{Patience: 300 * ms}, sleeps(times...))
		require.NoError(t, err)
		require.Equal(t, 30*ms, r.Min)
		// 10 runs of 30 and 31 ms in turn take 305 ms.
		require.Equal(t, 4+10, r.N)

		r, err = newProfiler(t).Repeat(t.Context(), "a", "b", RepeatOptions{}, sleeps(400*ms))
		require.NoError(t, err)
		require.Equal(t, 1+3, r.N, "by default the patience is one second")
	})
}

func TestRepeatSearchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *Profiler // time stands still, so that patience would never end
		r, err := p.Repeat(t.Context(), "a", "b", RepeatOptions{}, func(context.Context) error { return nil })
		require.NoError(t, err)
		require.Equal(t, maxSearch, r.N)
		require.Zero(t, r.Max)
		require.Zero(t, r.Bandwidth())
		require.Zero(t, r.BestBandwidth())
	})
}

func TestRepeatEndsEarly(t *testing.T) {
	failure := errors.New("broken")
	p := newProfiler(t)
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	r, err := p.Repeat(ctx, "a", "b\n", RepeatOptions{Count: 10}, func(context.Context) error {
		if runs++; runs == 3 {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, `repeating "b\n", after 3 runs: context canceled`)
	require.Equal(t, 3, r.N)

	runs = 0
	r, err = p.Repeat(t.Context(), "a", "failing", RepeatOptions{Count: 10}, func(context.Context) error {
		if runs++; runs == 2 {
			return failure
		}
		return nil
	})
	require.ErrorIs(t, err, failure)
	require.Equal(t, 1, r.N)
	block := p.Snapshot().Blocks[1]
	require.Equal(t, "failing", block.Site.Name)
	require.Equal(t, [2]uint64{2, 1}, [2]uint64{block.Stats.Count, block.Stats.Errors})

	fail := func(context.Context) error { return failure }
	_, err = p.Repeat(t.Context(), "a", "b", RepeatOptions{Setup: fail}, sleeps(0))
	require.EqualError(t, err, `repeating "b", after 0 runs: setup: broken`)
	_, err = p.Repeat(t.Context(), "a", "b", RepeatOptions{Setup: fail, Warmup: 1}, sleeps(0))
	require.EqualError(t, err, `repeating "b", after 0 runs: setup: broken`)
	r, err = p.Repeat(t.Context(), "a", "b", RepeatOptions{Warmup: 1}, fail)
	require.EqualError(t, err, `repeating "b", after 0 runs: warm-up: broken`)
	require.Equal(t, `"b": 0 runs`, r.String())
}

func TestRepeatRefusesNegativeOptions(t *testing.T) {
	_, err := newProfiler(t).Repeat(t.Context(), "a", "b", RepeatOptions{Count: -1, Patience: -2, Warmup: -3, Bytes: -4}, sleeps(0))
	require.EqualError(t, err, `repeating "b": Count is -1, want 0 or more
Patience is -2ns, want 0 or more
Warmup is -3, want 0 or more
Bytes is -4, want 0 or more`)
}

func TestRepeatLetsPanicsThrough(t *testing.T) {
	p := newProfiler(t)
	require.PanicsWithValue(t, "oh", func() {
		//lint:ignore SA1012 a nil context counts as context.Background
		_, _ = p.Repeat(nil, "a", "b", RepeatOptions{}, func(context.Context) error { panic("oh") })
	})
	b := p.Snapshot().Blocks[0]
	require.Equal(t, [3]uint64{1, 1, 0}, [3]uint64{b.Stats.Count, b.Stats.Errors, uint64(b.Stats.Active)})
}

func TestRepeatNests(t *testing.T) {
	p := newProfiler(t)
	_, err := p.Repeat(t.Context(), "a", "outer", RepeatOptions{Count: 3}, func(ctx context.Context) error {
		p.Block(ctx, "a", "inner").End()
		return nil
	})
	require.NoError(t, err)
	s := p.Snapshot()
	require.Len(t, s.Nodes, 2)
	require.Equal(t, "inner", s.Site(s.Nodes[1]).Name)
	require.Equal(t, 0, s.Nodes[1].Parent)
	require.Equal(t, uint64(3), s.Nodes[1].Stats.Count)
}

func TestRepeatOutliers(t *testing.T) {
	times := make([]time.Duration, 20)
	for i := range times {
		times[i] = 100 + time.Duration(i%2)
	}
	times[7], times[12] = 200, 1
	r := newRepeatResult("", "x", 0, times)
	require.Equal(t, []int{7, 12}, r.Outliers)
	require.True(t, strings.HasSuffix(r.String(), ", 2 beyond 2σ"), r.String())
	// Nine zeros and a one: the one is 2.85 standard deviations away from the mean.
	require.Equal(t, []int{9}, newRepeatResult("", "x", 0, []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, 0, 1e6}).Outliers)
	// Four zeros and a one: 1.79.
	require.Empty(t, newRepeatResult("", "x", 0, []time.Duration{0, 0, 0, 0, 1e6}).Outliers)
	for bytes, want := range map[int64]string{1: "1 B/s", 1 << 20: "1 MiB/s", 999 << 10: "999 KiB/s", 29_500 << 20: "28.81 GiB/s", 1 << 50: "1024 TiB/s"} {
		r := newRepeatResult("", "x", bytes, []time.Duration{time.Second})
		require.Contains(t, r.String(), ", "+want+" (best "+want+")")
	}
	require.Equal(t, `"x": 1 run, mean 123.5ms, min 123.5ms, max 123.5ms`, newRepeatResult("", "x", 0, []time.Duration{123456789}).String())
}

func TestRepeatCompare(t *testing.T) {
	result := func(times ...time.Duration) RepeatResult { return newRepeatResult("", "", 0, times) }
	const ms = time.Millisecond
	base := result(100*ms, 101*ms, 99*ms, 100*ms)

	c := result(104*ms, 105*ms, 103*ms, 104*ms).Compare(base)
	require.True(t, c.Regression)
	require.InDelta(t, 0.04, c.Change, 1e-12)
	// t = 4/√(2·(2/3)/4) = 6.9282 with 6 degrees of freedom.
	require.InDelta(t, 0.000448, c.P, 5e-7)
	require.Equal(t, "REGRESSION: mean 100ms → 104ms (+4.00 %, p 0.00045)", c.String())

	c = base.Compare(result(104*ms, 105*ms, 103*ms, 104*ms))
	require.True(t, c.Significant)
	require.False(t, c.Regression)
	require.Equal(t, "faster: mean 104ms → 100ms (-3.85 %, p 0.00045)", c.String())

	c = result(101*ms, 102*ms, 99*ms, 101*ms).Compare(base)
	require.False(t, c.Significant)
	require.True(t, strings.HasPrefix(c.String(), "no significant change"), c.String())

	c = result(1001, 1001).Compare(result(1000, 1000))
	require.Equal(t, RepeatComparison{Baseline: 1000, Mean: 1001, Change: c.Change, P: 0, Significant: true}, c)
	require.Equal(t, "slower, but by no more than 1 %: mean 1µs → 1.001µs (+0.10 %, p 0)", c.String())

	require.Equal(t, 1.0, result(5).Compare(base).P, "one run proves nothing")
	require.Equal(t, 1.0, result().Compare(result()).P)
	require.Equal(t, 1.0, base.Compare(base).P)
	// Sevenths and thirds have no exact sum: equal constants must not differ by a rounding.
	require.Equal(t, 1.0, result(7, 7, 7, 7, 7, 7, 7).Compare(result(7, 7, 7)).P)
}

// TestRepeatFalseAlarms compares what is equal: about one comparison in twenty may call that significant.
func TestRepeatFalseAlarms(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	sample := func(n int, sigma float64) RepeatResult {
		times := make([]time.Duration, n)
		for i := range times {
			times[i] = time.Duration(1e6 + sigma*random.NormFloat64())
		}
		return newRepeatResult("", "", 0, times)
	}
	const trials = 4000
	alarms, missed := 0, 0
	for range trials {
		a, b := sample(12, 1e4), sample(30, 5e4)
		if a.Compare(b).Significant {
			alarms++
		}
		if a.Low > 1e6 || a.High < 1e6 {
			missed++
		}
	}
	// Five standard deviations of a binomial variable around 200.
	require.InDelta(t, 0.05*trials, alarms, 5*14)
	require.InDelta(t, 0.05*trials, missed, 5*14)
}
