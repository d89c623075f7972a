package clickhouse_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// BenchmarkInsert is what a span costs from the commit until ClickHouse has it. cpu-ns/span is what this process spends on it,
// faults/span how many pages of fresh memory it takes.
func BenchmarkInsert(b *testing.B) {
	for _, compression := range []string{"lz4", "none"} {
		b.Run(compression, func(b *testing.B) {
			o := options(b, newDatabase(b))
			o.URL += "?compress=" + compression
			s := open(b, o)
			m := storetest.NewGenerator(1).Segment(1600)
			m.AddProfiles()
			commit := func() {
				require.NoError(b, s.Commit(b.Context(), &m.Segment))
				for s.Counters().Waiting > 0 {
					time.Sleep(10 * time.Millisecond)
				}
			}
			for range 3 { // takes the memory
				commit()
			}
			var before, after syscall.Rusage
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
			b.ReportAllocs()
			for b.Loop() {
				commit()
			}
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
			spans := float64(b.N) * float64(len(m.Spans))
			nanos := after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(nanos)/spans, "cpu-ns/span")
			b.ReportMetric(float64(after.Minflt-before.Minflt)/spans, "faults/span")
			b.ReportMetric(0, "ns/op") // the engine's
			require.NoError(b, s.Close())
		})
	}
}
