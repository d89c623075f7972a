package exporter

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TestSpanQueueAgainstSlice compares the ring with a slice under random operations.
func TestSpanQueueAgainstSlice(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		size := 1 + random.IntN(9)
		q, want := newSpanQueue(size), []sdktrace.ReadOnlySpan{}
		for i := range 300 {
			switch random.IntN(5) {
			case 0, 1, 2:
				if q.full() {
					continue
				}
				s := stubWithID(uint64(i), "x")
				q.push(s)
				want = append(want, s)
			case 3:
				limit, most := random.IntN(size+1), random.IntN(size+1)
				n := min(limit, most, len(want))
				got := q.take(make([]sdktrace.ReadOnlySpan, 0, limit), q.taken+uint64(min(most, len(want))))
				require.Equal(t, want[:n], got)
				want = want[n:]
			case 4:
				if random.IntN(10) == 0 {
					require.Equal(t, len(want), q.clear())
					want = want[:0]
				}
			}
			require.Equal(t, len(want), q.len())
			require.Equal(t, len(want) == size, q.full())
			held := 0
			for _, s := range q.slots {
				if s != nil {
					held++
				}
			}
			require.Equal(t, len(want), held, "the queue keeps a span alive that it gave away")
		}
	}
}
