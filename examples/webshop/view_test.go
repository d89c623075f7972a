package main

import (
	"testing"

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
