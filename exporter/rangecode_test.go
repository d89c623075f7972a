package exporter

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoicesAreReadAsTheyWereWritten(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 9))
		w := newRangeWriter()
		var reads []func(*rangeReader)
		for range r.IntN(60) {
			switch v, n := r.Uint64(), 1+r.IntN(64); r.IntN(4) {
			case 0:
				v >>= 64 - n
				w.bits(v, n)
				reads = append(reads, func(in *rangeReader) { got, err := in.bits(n); requireSame(t, v, got, err) })
			case 1:
				total := 1 + r.Uint64()>>(17+r.IntN(47))
				v %= total
				w.choose(v, 1, total)
				reads = append(reads, func(in *rangeReader) { got, err := in.uniform(total); requireSame(t, v, got, err) })
			default:
				of := r.Uint64() >> r.IntN(64)
				if v = r.Uint64() >> r.IntN(64); v > of {
					v = of // an end is what is least probable
				}
				w.part(v, of)
				reads = append(reads, func(in *rangeReader) { got, err := in.part(of); requireSame(t, v, got, err) })
			}
		}
		stream := &bitWriter{}
		stream.bits(5, 3)
		w.finish(stream)
		stream.bits(1, 1)
		in := &bitReader{in: stream.out}
		before, err := in.bits(3)
		requireSame(t, uint64(5), before, err)
		choices, err := newRangeReader(in)
		require.NoError(t, err)
		for _, read := range reads {
			read(choices)
		}
		choices.finish()
		after, err := in.bits(1)
		requireSame(t, uint64(1), after, err)
		require.NoError(t, in.end(), "seed %d", seed)
	}
}

// Carries go through any number of bytes.
func TestChoicesAtTheEnds(t *testing.T) {
	for _, last := range []uint64{0, 1, 1<<32 - 2, 1<<32 - 1} {
		w := newRangeWriter()
		for range 20 {
			w.choose(1<<32-1, 1, 1<<32)
		}
		w.choose(last, 1, 1<<32)
		w.choose(2, 1, 3)
		stream := &bitWriter{}
		w.finish(stream)
		r, err := newRangeReader(&bitReader{in: stream.out})
		require.NoError(t, err)
		for range 20 {
			v, err := r.uniform(1 << 32)
			requireSame(t, uint64(1<<32-1), v, err)
		}
		v, err := r.uniform(1 << 32)
		requireSame(t, last, v, err)
		v, err = r.uniform(3)
		requireSame(t, uint64(2), v, err)
	}
}

func TestPartsAreShort(t *testing.T) {
	// 10 000 halves of 10 each take 3.03 bits: 35 or 36 of 286 possibilities.
	w := newRangeWriter()
	for i := range uint64(10_000) {
		w.part(4+i%3, 10)
	}
	require.Less(t, len(w.out), 10_000*304/800)
	require.Equal(t, below(1<<16, 1<<16-1), uint64(1<<16)*(1<<16+1)*(1<<16+2)/6)
	require.Less(t, below(1<<16, 1<<16-1), uint64(1<<47))
}

func TestChoicesThatEndTooEarly(t *testing.T) {
	_, err := newRangeReader(&bitReader{})
	require.ErrorIs(t, err, errBitsEnd)
	r, err := newRangeReader(&bitReader{in: []byte{1}})
	require.NoError(t, err)
	_, err = r.part(math.MaxUint64)
	require.ErrorIs(t, err, errBitsEnd)
}
