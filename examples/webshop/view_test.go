package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/examples/webshop/internal/load"
)

func TestTableIsDrawnInPlace(t *testing.T) {
	out := tempFile(t)
	tel, err := startTelemetry(config{}, nil)
	require.NoError(t, err)
	v := &view{config: parse(t), telemetry: tel, banner: "banner", out: out}
	v.table(tel.profiler.Snapshot())
	frame := contents(t, out)
	require.Regexp(t, `^\x1b\[Hbanner\x1b\[K\n`, frame)
	require.Regexp(t, `exported by sampling: 0 spans\x1b\[K\x1b\[J$`, frame)
	require.NotRegexp(t, `[^K]\n`, frame, "a line that is not cleared keeps the rest of the previous one")
}

// TestTableFitsTheScreen: what is shown is the beginning, with the address to open and the largest rows.
func TestTableFitsTheScreen(t *testing.T) {
	tel, err := startTelemetry(config{}, nil)
	require.NoError(t, err)
	s := &core.Snapshot{}
	for i := range 60 {
		s.Blocks = append(s.Blocks, core.Block{
			Site:  core.Site{Track: shopTrack, Kind: core.KindServer, Name: fmt.Sprintf("GET /%02d", i)},
			Stats: core.Stats{Count: 1, Self: uint64(1000 - i), Total: uint64(1000 - i)},
		})
	}
	v := &view{config: parse(t), telemetry: tel, banner: "banner\nmore of it", out: tempFile(t)}
	for _, size := range []screen{{80, 24}, {40, 12}, {300, 90}, {80, 3}} {
		lines := strings.Split(string(v.frame(s, size)), "\n")
		require.Equal(t, "banner", lines[0])
		require.Contains(t, lines[7], "GET /00 (server)")
		if size.height < 10 {
			continue // one row is shown always
		}
		require.LessOrEqual(t, len(lines), size.height)
		require.GreaterOrEqual(t, len(lines), min(size.height, v.config.top+10), "room is left")
		for _, line := range lines[6:] {
			require.LessOrEqual(t, utf8.RuneCountInString(line), size.width)
		}
	}
	require.Len(t, strings.Split(string(v.frame(s, screen{})), "\n"), v.config.top+10)
}

func TestMismatchIsAnError(t *testing.T) {
	r := result{
		tally: load.Tally{Routes: map[string]int{"GET /a": 2, "GET /b": 1}},
		profile: &core.Snapshot{Blocks: []core.Block{
			{Site: core.Site{Track: shopTrack, Kind: core.KindServer, Name: "GET /a"}, Stats: core.Stats{Count: 1}},
			{Site: core.Site{Track: shopTrack, Kind: core.KindServer, Name: "GET /b"}, Stats: core.Stats{Count: 1}},
			{Site: core.Site{Track: shopTrack, Kind: core.KindClient, Name: "GET /a"}, Stats: core.Stats{Count: 1}},
		}},
	}
	require.EqualError(t, r.check(), "GET /a: sent 2 requests, the profile counted 1")
	r.tally.Routes["GET /a"] = 1
	require.NoError(t, r.check())
}
