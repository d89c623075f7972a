package otelprof

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// TestOnlyTracksAgreesWithReplay builds random trees, and compares the part for some tracks with the profile of a
// program in which the other tracks did not exist: paths without their sites.
func TestOnlyTracksAgreesWithReplay(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	tracks := []string{"a", "b", "c"}
	for range 200 {
		s := randomProfile(random, tracks)
		keep := tracks[random.IntN(len(tracks))]
		kept := func(track string) bool { return track != keep }

		want := map[string]uint64{}
		for i, n := range s.Nodes {
			if !kept(s.Site(n).Track) {
				continue
			}
			var path []string
			for _, site := range s.Path(i) {
				if kept(site.Track) {
					path = append(path, site.String())
				}
			}
			want[strings.Join(path, ";")] += n.Stats.Count
		}
		part := onlyTracks(s, kept)
		got := map[string]uint64{}
		for i, n := range part.Nodes {
			require.Less(t, n.Parent, i)
			var path []string
			for _, site := range part.Path(i) {
				path = append(path, site.String())
			}
			key := strings.Join(path, ";")
			require.NotContains(t, got, key)
			got[key] = n.Stats.Count
		}
		require.Equal(t, want, got)
		requireCanonical(t, part)
	}
}

// requireCanonical proves the order of nodes: the binary form is only written for valid snapshots.
func requireCanonical(t *testing.T, s *core.Snapshot) {
	t.Helper()
	b, err := s.MarshalBinary()
	require.NoError(t, err)
	var back core.Snapshot
	require.NoError(t, back.UnmarshalBinary(b))
	merged := s.Merge(&core.Snapshot{})
	require.Equal(t, len(s.Nodes), len(merged.Nodes))
	for i := range s.Nodes {
		require.Equal(t, merged.Nodes[i].Parent, s.Nodes[i].Parent)
		require.Equal(t, merged.Nodes[i].Block, s.Nodes[i].Block)
	}
}

// randomProfile records random blocks in random trees.
func randomProfile(random *rand.Rand, tracks []string) *core.Snapshot {
	agg, err := core.New(core.Config{Name: "random"})
	if err != nil {
		panic(err)
	}
	var labels []*core.Label
	for i, track := range tracks {
		for j := range 3 {
			labels = append(labels, agg.Label(core.Site{Track: track, Name: fmt.Sprint(i, j), Kind: core.KindBlock}))
		}
	}
	for range 5 {
		var openings []core.Opening
		for range 1 + random.IntN(8) {
			o := core.Opening{}
			if len(openings) > 0 {
				o.Trace, o.Parent = openings[0].Trace, openings[random.IntN(len(openings))].Span
			}
			agg.Open(&o)
			openings = append(openings, o)
		}
		for i := len(openings) - 1; i >= 0; i-- {
			o := openings[i]
			agg.Close(&core.Closing{Trace: o.Trace, Span: o.Span, Label: labels[random.IntN(len(labels))], Start: 1, Duration: 1})
		}
	}
	return agg.Snapshot()
}
