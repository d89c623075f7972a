package query_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestHistoryAgainstTheSpans(t *testing.T) {
	e := newEngine()
	for _, c := range []struct {
		within store.Range
		step   int
		steps  int
	}{{minutes(0, 5), 1, 5}, {minutes(-3, 9), 2, 3}, {minutes(1, 4), 0, 3}, {store.Range{}, 5, 1}, {minutes(7, 9), 1, 0}} {
		h, err := e.History(t.Context(), c.within, c.step, query.Service(querytest.Cart))
		require.NoError(t, err)
		require.Len(t, h.Times, c.steps)
		n := uint64(0)
		for i, at := range h.Times {
			within := store.Range{From: at, To: at.Add(h.Step)}
			checkStats(t, ended(within, query.Service(querytest.Cart)), &h.Stats[i])
			n += h.Stats[i].Count
		}
		require.Equal(t, n, h.Sum.Count)
	}
	_, err := e.History(t.Context(), store.Range{From: now.AddDate(-1, 0, 0), To: now}, 1, nil)
	var asked *query.Error
	require.ErrorAs(t, err, &asked)
	require.Contains(t, asked.Message, "at most 2000")
}

// TestStepsSuffice: no range is divided into more steps than asked for, wherever it begins.
func TestStepsSuffice(t *testing.T) {
	e := newEngine()
	for _, length := range []int{1, 7, 59, 60, 61, 1440, 43200} {
		for _, points := range []int{1, 2, 3, 30, 200} {
			for shift := range 7 {
				within := minutes(shift, shift+length)
				step, err := e.Step(t.Context(), within, points)
				require.NoError(t, err)
				first, last := within.From.Unix()/60/int64(step), (within.To.Unix()/60-1)/int64(step)
				require.LessOrEqual(t, int(last-first+1), max(points, 2), "%d minutes in %d steps of %d", length, points, step)
			}
		}
	}
}

func TestHeatMapAgainstTheSpans(t *testing.T) {
	e := newEngine()
	for _, buckets := range []int{2, 10, 80, 640} {
		m, err := e.HeatMap(t.Context(), minutes(0, 5), query.BlockID(querytest.Select), 1, buckets)
		require.NoError(t, err)
		require.Equal(t, querytest.Select, m.Site)
		require.LessOrEqual(t, len(m.Buckets.Counts), buckets)
		sums := make([]uint64, len(m.Buckets.Counts))
		for i, at := range m.Times {
			want := make([]uint64, len(sums))
			for _, s := range ended(store.Range{From: at, To: at.Add(time.Minute)}, only(querytest.Select)) {
				want[core.BucketIndex(uint64(s.Duration()))>>(core.Scale-m.Buckets.Scale)-m.Buckets.Offset]++
			}
			require.Equal(t, want, m.Rows[i])
			require.Zero(t, m.Zeros[i])
			for k, n := range want {
				sums[k] += n
			}
		}
		require.Equal(t, m.Buckets.Counts, sums)
	}
	_, err := e.HeatMap(t.Context(), minutes(0, 5), "0123456789abcdef", 1, 10)
	require.ErrorContains(t, err, "there is no block")
}

func TestMinutesAgainstTheSpans(t *testing.T) {
	all, err := newEngine().Minutes(t.Context(), minutes(1, 4), func(s core.Site) (query.Series, bool) {
		return query.Series{Service: s.Service}, s.Kind == core.KindServer
	})
	require.NoError(t, err)
	require.Len(t, all, 3)
	for k, perMinute := range all {
		require.Len(t, perMinute, 3)
		for minute, stats := range perMinute {
			from := time.Unix(minute*60, 0)
			checkStats(t, ended(store.Range{From: from, To: from.Add(time.Minute)}, func(s core.Site) bool {
				return s.Service == k.Service && s.Kind == core.KindServer
			}), &stats)
		}
	}
}

func TestParsePeriod(t *testing.T) {
	at := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		since, until string
		want         store.Range
	}{
		{"", "", store.Range{From: at(time.Hour), To: now}},
		{"15m", "", store.Range{From: at(15 * time.Minute), To: now}},
		{"2d", "now", store.Range{From: at(48 * time.Hour), To: now}},
		{"1.5d", "30m", store.Range{From: at(36 * time.Hour), To: at(30 * time.Minute)}},
		{"", "2h", store.Range{From: at(3 * time.Hour), To: at(2 * time.Hour)}},
		{"all", "", store.Range{To: now}},
		{"2026-03-01T12:00:00.5Z", "2026-03-01T13:05:00+01:00", store.Range{From: querytest.Epoch.Add(500 * time.Millisecond), To: at(5 * time.Minute)}},
	} {
		got, err := query.ParsePeriod(c.since, c.until, now)
		require.NoError(t, err)
		require.True(t, got.From.Equal(c.want.From) && got.To.Equal(c.want.To), "%q %q: %v", c.since, c.until, got)
	}
	for _, c := range [][3]string{
		{"yesterday", "", `since: "yesterday"`}, {"", "soon", `until: "soon"`}, {"5m", "10m", "is empty"}, {"5m", "5m", "is empty"},
		{"-5m", "", "neither a time nor a duration"}, {"1e9d", "", "neither"}, {"NaNd", "", "neither"}, {"1960-01-01T00:00:00Z", "", "1960 is out of range"},
		{"", "2300-01-01T00:00:00Z", "2300 is out of range"},
	} {
		_, err := query.ParsePeriod(c[0], c[1], now)
		require.ErrorContains(t, err, c[2])
		var asked *query.Error
		require.ErrorAs(t, err, &asked)
		require.NotEmpty(t, asked.Hint)
	}
}
