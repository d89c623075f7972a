package exporter

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRoundTrip writes random profiles, of one process or several, whole or what was new of them in a window, as spans and
// as metrics, and reads both back: counts, totals, extremes, histograms and trees are exactly as they were.
func FuzzRoundTrip(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint8(seed*7), uint8(seed%3), seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, traces, others uint8, delta bool) {
		w := newWorkload(t, seed)
		w.run(1 + int(traces)/2)
		s := w.Snapshot()
		if delta {
			w.run(1 + int(traces)/2)
			d, err := w.Snapshot().Sub(s)
			require.NoError(t, err)
			s = fromNodes(d)
		}
		for i := range others % 4 {
			o := newWorkload(t, seed+uint64(i)+1)
			o.run(1 + int(traces)/4)
			s = fromNodes(s.Merge(o.Snapshot()))
		}
		require.NoError(t, s.Validate())
		requireRoundTrip(t, s, rand.New(rand.NewPCG(seed, 1)))
		p := NewProducer(&fixed{s}, WithCallTree(), WithCardinalityLimit(maxReadNodes))
		requireSameProfile(t, s, readOne(t, toOTLP(produce(t, p))))
	})
}
