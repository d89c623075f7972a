package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

func TestBlocks(t *testing.T) {
	p, err := otelprof.New()
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, run(p, &out))

	counts, failed := map[string]uint64{}, map[string]uint64{}
	for _, b := range p.Snapshot().Blocks {
		counts[b.Site.Name] = b.Stats.Count
		if b.Stats.Errors > 0 {
			failed[b.Site.Name] = b.Stats.Errors
		}
	}
	require.Equal(t, map[string]uint64{
		"archive": 3, "compress -1": 1, "compress -5": 1, "compress -9": 1, "checksum of a line": 60_000, "checksum": 100, "verify": 1,
	}, counts)
	require.Equal(t, map[string]uint64{"verify": 1}, failed)
	require.Contains(t, out.String(), "checksum of a line")
}
