package assembly

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

func TestAssembleAgainstANaiveAssembler(t *testing.T) {
	var a Assembler
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 1))
		spans := randomSpans(r, r.IntN(40))
		a.MaxSkew = time.Duration(r.IntN(3) * 50)
		a.Assemble(spans)
		checkInvariants(t, &a, spans)
		for i, n := range assembleNaively(spans, a.MaxSkew) {
			s := &spans[i]
			name := fmt.Sprintf("seed %d, span %d: %+v", seed, i, s)
			require.Equal(t, n.flags, s.Flags, name)
			if n.up == nil {
				require.EqualValues(t, -1, s.Up, name)
			} else {
				require.Equal(t, n.up.in.ID, spans[s.Up].ID, name)
				require.Equal(t, n.up.in.Sum, spans[s.Up].Sum, name)
			}
			require.Equal(t, n.self, s.Self, name)
			require.Equal(t, n.critical, s.Critical, name)
		}
	}
}

// checkInvariants checks what holds for every trace.
func checkInvariants(t require.TestingT, a *Assembler, spans []Span) {
	position := make(map[int32]int)
	trees := make([]uint64, len(spans))
	roots := make([]int32, len(spans))
	for k, i := range a.Order {
		s := &spans[i]
		require.NotContains(t, position, i, "listed once")
		position[i] = k
		require.False(t, s.Flags.Has(Duplicate))
		duration := uint64(min(max(s.Duration, 0), maxDuration))
		require.LessOrEqual(t, s.Self, duration)
		require.LessOrEqual(t, s.Critical, duration)
		roots[i] = i
		if s.Up >= 0 {
			require.Contains(t, position, s.Up, "a parent stands before its children")
			roots[i] = roots[s.Up]
		}
		trees[roots[i]] += s.Critical
	}
	for i := range spans {
		s := &spans[i]
		_, listed := position[int32(i)]
		require.Equal(t, !s.Flags.Has(Duplicate), listed, "all that are no duplicates are listed")
		if listed && s.Up < 0 {
			require.EqualValues(t, min(max(s.Duration, 0), maxDuration), trees[i], "the shares add up to the root's duration")
		}
		if s.Flags.Has(Duplicate) {
			require.Zero(t, s.Self+s.Critical)
		}
	}
}

func TestTheOrderOfSpansDoesNotMatter(t *testing.T) {
	var a Assembler
	a.MaxSkew = time.Second
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		spans := slices.DeleteFunc(randomSpans(r, r.IntN(60)), func(s Span) bool {
			return s.ID == spanID(3) // may be missing
		})
		slices.SortFunc(spans, func(x, y Span) int { return compareIDs(x.ID, y.ID) })
		spans = slices.CompactFunc(spans, func(x, y Span) bool { return x.ID == y.ID }) // which of two comes first does matter
		results := func() map[core.SpanID][3]uint64 {
			a.Assemble(spans)
			out := map[core.SpanID][3]uint64{}
			for _, s := range spans {
				out[s.ID] = [...]uint64{s.Self, s.Critical, uint64(s.Flags)}
			}
			return out
		}
		want := results()
		r.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		require.Equal(t, want, results(), "seed %d", seed)
	}
}

func compareIDs(a, b core.SpanID) int {
	return int(int64(binary.BigEndian.Uint64(a[:])) - int64(binary.BigEndian.Uint64(b[:])))
}

func TestCriticalPathOfAKnownTrace(t *testing.T) {
	//	root     |--------------------| 0–20
	//	a          |----|               2–7
	//	b            |------|           4–11, a was not done when it started: not a's turn
	//	c                    |----|     12–17
	//	d                      |-|      14–16, within c
	//	late                        |------| 19–26: cut at the root's end
	spans := []Span{
		{ID: spanID(1), Duration: 20},
		{ID: spanID(2), Parent: spanID(1), Start: 2, Duration: 5},
		{ID: spanID(3), Parent: spanID(1), Start: 4, Duration: 7},
		{ID: spanID(4), Parent: spanID(1), Start: 12, Duration: 5},
		{ID: spanID(5), Parent: spanID(4), Start: 14, Duration: 2},
		{ID: spanID(6), Parent: spanID(1), Start: 19, Duration: 7},
	}
	var a Assembler
	a.Assemble(spans)
	var critical, self []uint64
	for _, s := range spans {
		critical, self = append(critical, s.Critical), append(self, s.Self)
	}
	require.Equal(t, []uint64{4 + 1 + 2, 0, 7, 3, 2, 1}, critical)
	require.Equal(t, []uint64{20 - 9 - 5 - 1, 5, 7, 3, 2, 7}, self)
}

func TestChildOfAnotherClockIsMovedToTheMiddle(t *testing.T) {
	spans := []Span{
		{ID: spanID(1), Start: 1000, Duration: 100},
		{ID: spanID(2), Parent: spanID(1), Clock: 1, Start: 5000, Duration: 40}, // by its own clock
		{ID: spanID(3), Parent: spanID(2), Clock: 1, Start: 5010, Duration: 10},
	}
	a := Assembler{MaxSkew: time.Hour}
	a.Assemble(spans)
	require.EqualValues(t, 60, spans[0].Self)
	require.EqualValues(t, 30, spans[1].Self)
	require.EqualValues(t, 30, spans[1].Critical)
	require.EqualValues(t, 10, spans[2].Critical)
	require.Equal(t, []Flags{0, Moved, Moved}, []Flags{spans[0].Flags, spans[1].Flags, spans[2].Flags})
	require.EqualValues(t, 5000, spans[1].Start, "what was received stays")

	a.MaxSkew = 3969
	a.Assemble(spans)
	require.EqualValues(t, 100, spans[0].Self, "too far away to be moved")
	require.Zero(t, spans[1].Flags)
}

func TestRingIsCut(t *testing.T) {
	for _, n := range []int{1, 2, 1000} {
		spans := make([]Span, n)
		for i := range spans {
			spans[i] = Span{ID: spanID(uint64(i + 1)), Parent: spanID(uint64((i+1)%n + 1)), Start: int64(n - i), Duration: 5}
		}
		spans = append(spans, Span{ID: spanID(1 << 40), Parent: spanID(1), Start: 3, Duration: 1})
		var a Assembler
		a.Assemble(spans)
		checkInvariants(t, &a, spans)
		for i := range spans {
			require.Equal(t, i == n-1, spans[i].Flags.Has(Cut), "the span that started first becomes the root")
		}
	}
}

func TestDeepTrace(t *testing.T) {
	const n = 10_000
	spans := chain(n)
	var a Assembler
	a.Assemble(spans)
	checkInvariants(t, &a, spans)
	for i := range n - 1 {
		require.EqualValues(t, 2, spans[i].Self)
		require.EqualValues(t, 2, spans[i].Critical)
	}
}

// chain makes n spans, each the parent of the next.
func chain(n int) []Span {
	spans := make([]Span, n)
	for i := range spans {
		spans[i] = Span{ID: spanID(uint64(i + 1)), Parent: spanID(uint64(i)), Start: int64(i), Duration: int64(2 * (n - i))}
	}
	return spans
}

func TestLargeTraceIsLinear(t *testing.T) {
	const n = 100_000
	shapes := map[string]func(i int) Span{
		"one parent": func(i int) Span { return Span{Parent: spanID(1), Start: int64(i), Duration: 10} },
		"chain": func(i int) Span {
			return Span{Parent: spanID(uint64(i)), Start: int64(i), Duration: int64(2 * (n - i))}
		},
		"orphans":      func(i int) Span { return Span{Parent: spanID(1 << 50), Start: int64(i), Duration: 10} },
		"ring":         func(i int) Span { return Span{Parent: spanID(uint64((i+1)%n + 1)), Start: int64(i), Duration: 10} },
		"their own":    func(i int) Span { return Span{Parent: spanID(uint64(i + 1)), Duration: 1} },
		"one id":       func(i int) Span { return Span{ID: spanID(7), Parent: spanID(7), Sum: uint64(i), Duration: 1} },
		"one span":     func(int) Span { return Span{ID: spanID(7), Parent: spanID(7), Duration: 1} },
		"chained ring": func(i int) Span { return Span{Parent: spanID(uint64(max(i, 1))), Duration: int64(i)} },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			spans := make([]Span, n)
			for i := range spans {
				spans[i] = shape(i)
				if spans[i].ID == (core.SpanID{}) {
					spans[i].ID = spanID(uint64(i + 1))
				}
			}
			a := Assembler{MaxSkew: time.Second}
			a.Assemble(spans)
			checkInvariants(t, &a, spans)
		})
	}
}

func TestAssembleDoesNotAllocate(t *testing.T) {
	var a Assembler
	small, large := chain(9), randomSpans(rand.New(rand.NewPCG(1, 1)), 1000)
	run := func() {
		a.Assemble(small)
		a.Assemble(large)
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run))
}

func FuzzAssemble(f *testing.F) {
	f.Add([]byte("\x01\x00\x05\x20\x00\x02\x01\x06\x03\x01\x03\x03\x00\x00\x00"), int64(0))
	f.Add([]byte("\x01\x02\x00\x09\x00\x02\x03\x01\x09\x00\x03\x01\x02\x09\x01\x01\x02\x00\x09\x00"), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, data []byte, extreme int64) {
		var spans []Span
		for ; len(data) >= 5; data = data[5:] {
			s := Span{ID: spanID(uint64(data[0])), Start: int64(data[2]), Duration: int64(int8(data[3])), Clock: uint32(data[4] & 3), Sum: uint64(data[4] >> 2)}
			if data[1] > 0 {
				s.Parent = spanID(uint64(data[1]))
			}
			if data[4]&0x80 != 0 {
				s.Start, s.Duration = extreme, extreme
			}
			spans = append(spans, s)
		}
		a := Assembler{MaxSkew: time.Duration(extreme)}
		a.Assemble(spans)
		checkInvariants(t, &a, spans)
	})
}

func BenchmarkAssemble(b *testing.B) {
	for _, n := range []int{1, 8, 30, 100_000} {
		b.Run(fmt.Sprintf("spans=%d", n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			spans := make([]Span, n)
			for i := range spans {
				spans[i] = Span{ID: spanID(r.Uint64()), Start: r.Int64N(1e6), Duration: r.Int64N(1e6), Clock: r.Uint32N(3)}
				if i > 0 {
					spans[i].Parent = spans[r.IntN(i)].ID
				}
			}
			a := Assembler{MaxSkew: time.Second}
			b.ReportAllocs()
			for b.Loop() {
				a.Assemble(spans)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/span")
		})
	}
}
