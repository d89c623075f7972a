package assembly_test

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
)

// randomSpans makes a trace with everything odd in it.
func randomSpans(r *rand.Rand, n int) []assembly.Span {
	spans := make([]assembly.Span, n)
	clocks := 1 + r.Uint32N(4)
	for i := range spans {
		s := &spans[i]
		if i > 0 && r.IntN(10) == 0 {
			*s = spans[r.IntN(i)]
			if r.IntN(2) == 0 {
				s.Sum = r.Uint64() // another span with the same id
				s.Start += r.Int64N(20)
			}
			continue
		}
		*s = assembly.Span{Repeated: r.IntN(20) == 0, Async: r.IntN(5) == 0, ID: spanID(uint64(i) + 1), Sum: r.Uint64(), Start: 1000 + r.Int64N(100), Duration: r.Int64N(60), Clock: r.Uint32N(clocks)}
		switch r.IntN(12) {
		case 0: // a root
		case 1:
			s.Parent = spanID(uint64(n) + 1 + r.Uint64N(3)) // an orphan
		case 2:
			s.Parent = spanID(1 + r.Uint64N(uint64(n))) // anybody: rings, itself
		case 3:
			s.Duration = r.Int64N(3) - 1
			fallthrough
		default:
			if i > 0 {
				s.Parent = spans[r.IntN(i)].ID
			}
		}
	}
	r.Shuffle(n, func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	return spans
}

func spanID(n uint64) (id core.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}
