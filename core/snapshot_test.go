package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSnapshotLookups(t *testing.T) {
	for seed := range uint64(50) {
		s := randomSnapshot(newRand(seed), 30)
		for i := range s.Blocks {
			require.Same(t, &s.Blocks[i], s.Block(s.Blocks[i].Site))
		}
		require.Nil(t, s.Block(Site{Track: "nowhere"}))
		for i, n := range s.Nodes {
			path := s.Path(i)
			require.Equal(t, s.Site(n), path[len(path)-1])
			if n.Parent >= 0 {
				require.Equal(t, s.Path(n.Parent), path[:len(path)-1])
			} else {
				require.Len(t, path, 1)
			}
		}
		require.Empty(t, s.Path(-1))
	}
}

func TestSnapshotTracks(t *testing.T) {
	for seed := range uint64(50) {
		s := randomSnapshot(newRand(seed), 30)
		var all Stats
		var names []string
		blocks := 0
		for _, track := range s.Tracks() {
			var want Stats
			for _, b := range track.Blocks {
				require.Equal(t, [2]string{track.Service, track.Name}, [2]string{b.Site.Service, b.Site.Track})
				require.Equal(t, s.Blocks[blocks], b)
				blocks++
				want = want.Merge(b.Stats)
			}
			require.Equal(t, want, track.Stats)
			require.NotContains(t, names, track.Service+"/"+track.Name)
			names = append(names, track.Service+"/"+track.Name)
			all = all.Merge(want)
			if track.Enabled {
				require.NotContains(t, s.DisabledTracks, track.Name)
			} else {
				require.Contains(t, s.DisabledTracks, track.Name)
			}
		}
		require.IsIncreasing(t, append([]string{"\x00"}, names...)[min(1, len(names)):], "tracks")
		require.Len(t, s.Blocks, blocks)
		require.Equal(t, all, s.Total())
	}
	require.NotNil(t, (&Snapshot{}).Tracks())
	require.Empty(t, (&Snapshot{}).Tracks())
}

func TestSnapshotHeader(t *testing.T) {
	s := &Snapshot{Names: []string{"cart", "shop"}, Start: moment(5), End: moment(8)}
	require.Equal(t, "cart, shop", s.Name())
	require.Equal(t, 3*time.Second, s.Window())
	require.True(t, s.IsEmpty())
	require.Zero(t, (&Snapshot{}).Window())
	require.Empty(t, (&Snapshot{}).Name())
	require.False(t, randomSnapshot(newRand(1), 30).IsEmpty())
}
