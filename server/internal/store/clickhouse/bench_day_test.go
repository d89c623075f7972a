package clickhouse_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// BenchmarkDay asks for the profile of 24 hours of 1000 sites, each of which had ten spans a minute.
func BenchmarkDay(b *testing.B) {
	ctx := context.Background()
	s := open(b, options(b, newDatabase(b)))
	rng := rand.New(rand.NewPCG(1, 1))
	const day = 24 * 60
	first := time.Now().Truncate(time.Hour).Add(-26*time.Hour).Unix() / 60
	var hour store.Segment
	for minute := first; minute < first+day; minute++ {
		a, err := core.New(core.Config{})
		require.NoError(b, err)
		for site := range 1000 {
			label := a.Label(core.Site{Service: fmt.Sprintf("service-%d", site%20), Track: "http", Name: fmt.Sprintf("GET /thing/%d", site), Kind: core.KindServer})
			for range 10 {
				a.Record(label, &core.Observation{Start: minute * 60e9, Duration: int64(1e6 + rng.ExpFloat64()*20e6)})
			}
		}
		if hour.Profiles = append(hour.Profiles, store.Profile{Minute: minute, Snapshot: a.Snapshot()}); len(hour.Profiles) == 60 {
			require.NoError(b, s.Commit(ctx, &hour))
			hour.Profiles = hour.Profiles[:0]
		}
	}
	require.Eventually(b, func() bool { return s.Counters().Waiting == 0 }, 10*time.Minute, 100*time.Millisecond)
	for name, from := range map[string]int64{"Hours": 0, "AnyMinutes": 37} {
		b.Run(name, func(b *testing.B) {
			within := store.Range{From: time.Unix((first+from)*60, 0), To: time.Unix((first+day-from)*60, 0)}
			var times []time.Duration
			for b.Loop() {
				began := time.Now()
				p, err := s.Profile(ctx, within)
				require.NoError(b, err)
				require.Len(b, p.Blocks, 1000)
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
		})
	}
	require.NoError(b, s.Close())
}
