package core

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"", "name", "\xff", strings.Repeat("é", 20), strings.Repeat("a", 15) + "€", "\xe2\x82", strings.Repeat("\x80", 40)} {
		f.Add(s, 16)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 16 + int(uint(limit)%64)
		clean := cleanName(s, limit)
		require.True(t, utf8.ValidString(clean))
		require.LessOrEqual(t, len(clean), limit)
		require.Equal(t, clean, cleanName(clean, limit), "idempotent")
		if utf8.ValidString(s) {
			require.True(t, strings.HasPrefix(s, clean), "a valid name is cut and not changed")
			require.True(t, len(clean) == len(s) || len(clean) > limit-utf8.UTFMax, "no more is cut than need be")
		}
	})
}

// Whatever is in a site, the snapshot can be written: text is valid and short, and lines are lines.
func TestHostileSites(t *testing.T) {
	a, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxName = 16 })})
	require.NoError(t, err)
	long := strings.Repeat("x", 1<<20)
	sites := []Site{
		{},
		{Track: "\xff", Name: "\xff\xfe", Function: "\x80", File: "\xc3"},
		{Track: long, Name: long, Function: long, File: long, Line: 1},
		{Name: "line", File: "f.go", Line: math.MinInt},
		{Name: "line", File: "f.go", Line: math.MaxInt},
		{Name: "a\x00b\n;\u202e", Kind: 200},
		OverflowSite,
	}
	for _, s := range sites {
		a.Record(a.Label(s), &Observation{Duration: 1})
		place := &Location{Function: s.Function, File: s.File, Line: s.Line}
		o := Opening{Place: place}
		a.Open(&o)
		a.Close(&Closing{Trace: o.Trace, Span: o.Span, Label: a.Label(Site{Name: "placed"}), Duration: 1})
		a.SetTrackEnabled(s.Track, true)
		require.True(t, a.TrackEnabled(s.Track))
	}
	s := a.Snapshot()
	checkInvariants(t, s)
	require.EqualValues(t, 2*len(sites), s.Counters.Spans)
	require.Positive(t, s.Counters.Truncated)
	for _, b := range s.Blocks {
		if b.Site != OverflowSite {
			require.LessOrEqual(t, max(len(b.Site.Track), len(b.Site.Name), len(b.Site.Function), len(b.Site.File)), 16)
		}
	}
}

// A million names with room for a thousand: 1 001 blocks, and every observation in one of them.
func TestManyNames(t *testing.T) {
	const limit, names = 1000, 1_000_000
	a, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxSites = limit })})
	require.NoError(t, err)
	for i := range names {
		a.Record(a.Label(Site{Track: "t", Name: fmt.Sprint("GET /", i)}), &Observation{Duration: int64(i)})
	}
	s := a.Snapshot()
	checkInvariants(t, s)
	require.Len(t, s.Blocks, limit+1)
	require.EqualValues(t, names, s.Counters.Spans)
	require.EqualValues(t, names-limit, s.Block(OverflowSite).Stats.Count)
	require.EqualValues(t, names/2*(names-1), s.Total().Total)
}

// What is over MaxSites is switched with its own track, whether that track has a site or not, and nothing is left out
// because "otelprof", the track of OverflowSite, is off.
func TestOverflowFollowsTheSwitchOfItsTrack(t *testing.T) {
	a, err := New(Config{
		Limits:   limitsWith(func(l *Limits) { l.MaxSites = 2 }),
		Disabled: func(track string) bool { return track != "on" && track != "also on" },
	})
	require.NoError(t, err)
	count := func(track, name string) { a.Record(a.Label(Site{Track: track, Name: name}), &Observation{Duration: 1}) }
	count("on", "1")
	count("off", "2")
	for range 3 {
		count("on", "over")
		count("also on", "over")
		count("off", "over")
		count("never seen", "over")
	}
	s := a.Snapshot()
	checkInvariants(t, s)
	require.EqualValues(t, 6, s.Counters.OverflowSites)
	require.EqualValues(t, 7, s.Counters.Spans)
	require.Equal(t, []string{"off"}, s.DisabledTracks)

	over := a.Label(Site{Track: "on", Name: "over"})
	a.SetTrackEnabled("on", false)
	a.SetTrackEnabled("off", true)
	a.Record(over, &Observation{Duration: 1})
	count("off", "over")
	require.EqualValues(t, 7, a.Snapshot().Counters.OverflowSites)
	// The labels of before are good after a Clear too, and are those of the same track.
	labels := []*Label{over, a.Label(Site{Track: "also on", Name: "over"}), a.Label(Site{Track: "never seen", Name: "over"})}
	a.Clear()
	for _, l := range labels {
		a.Record(l, &Observation{Duration: 1})
	}
	require.EqualValues(t, 1, a.Snapshot().Counters.Spans)
}
