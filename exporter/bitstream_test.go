package exporter

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBitsAreReadAsTheyWereWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		w := &bitWriter{}
		var reads []func(*bitReader)
		var written, read order
		for range r.IntN(50) {
			v, k := r.Uint64()>>r.IntN(64), r.IntN(64)
			switch r.IntN(5) {
			case 0:
				w.bool(v&1 == 1)
				reads = append(reads, func(in *bitReader) { got, err := in.bool(); requireSame(t, v&1 == 1, got, err) })
			case 1:
				v >>= 63 - k
				w.bits(v, k+1)
				reads = append(reads, func(in *bitReader) { got, err := in.bits(k + 1); requireSame(t, v, got, err) })
			case 2:
				w.number(v, k)
				reads = append(reads, func(in *bitReader) { got, err := in.number(k); requireSame(t, v, got, err) })
			case 3:
				w.signed(int64(v), k)
				reads = append(reads, func(in *bitReader) { got, err := in.signed(k); requireSame(t, int64(v), got, err) })
			default:
				w.adaptive(v, &written)
				reads = append(reads, func(in *bitReader) { got, err := in.adaptive(&read); requireSame(t, v, got, err) })
			}
		}
		in := &bitReader{in: w.out}
		for _, read := range reads {
			read(in)
		}
		require.NoError(t, in.end())
	}
}

func requireSame[T any](t *testing.T, want, got T, err error) {
	t.Helper()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestLargestNumbers(t *testing.T) {
	for k := range 64 {
		for _, v := range []uint64{0, 1, math.MaxUint64 - 1, math.MaxUint64} {
			w := &bitWriter{}
			w.number(v, k)
			w.signed(math.MinInt64, k)
			in := &bitReader{in: w.out}
			got, err := in.number(k)
			requireSame(t, v, got, err)
			least, err := in.signed(k)
			requireSame(t, int64(math.MinInt64), least, err)
			require.NoError(t, in.end())
		}
	}
}

func TestSmallNumbersAreShort(t *testing.T) {
	for v, bits := range map[uint64]int{0: 1, 1: 3, 2: 3, 3: 5, 6: 5, 7: 7} {
		w := &bitWriter{}
		w.number(v, 0)
		require.Equal(t, bits, 8*len(w.out)-w.free, "%d", v)
	}
	// The order follows the numbers: 1000 of some 100 take 9 bits each, in place of 13.
	w, o := &bitWriter{}, &order{}
	for i := range uint64(1000) {
		w.adaptive(90+i*7%20, o)
	}
	require.Less(t, len(w.out), 1150)
}

func TestBadBits(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		read func(*bitReader) error
		want string
	}{
		"nothing":      {nil, func(r *bitReader) error { _, err := r.bool(); return err }, "too early"},
		"zeros":        {make([]byte, 2), func(r *bitReader) error { _, err := r.number(0); return err }, "too early"},
		"many zeros":   {make([]byte, 20), func(r *bitReader) error { _, err := r.number(0); return err }, "more than 64 bits"},
		"cut":          {[]byte{0x08}, func(r *bitReader) error { _, err := r.number(0); return err }, "too early"},
		"no low bits":  {[]byte{0x80}, func(r *bitReader) error { _, err := r.number(8); return err }, "too early"},
		"65 bits":      {append(make([]byte, 8), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), func(r *bitReader) error { _, err := r.number(0); return err }, "more than 64 bits"},
		"high order":   {append(make([]byte, 4), 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), func(r *bitReader) error { _, err := r.number(40); return err }, "more than 64 bits"},
		"another byte": {[]byte{0}, (*bitReader).end, "goes on"},
		"another bit":  {[]byte{0x81}, func(r *bitReader) error { _, _ = r.bool(); return r.end() }, "goes on"},
	} {
		require.ErrorContains(t, c.read(&bitReader{in: c.in}), c.want, name)
	}
}
