package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// FuzzNames writes a call tree of two nodes with any names in every text format and reads it back.
func FuzzNames(f *testing.F) {
	for i, name := range hostileNames {
		f.Add(hostileNames[(i+1)%len(hostileNames)], name, name, name, i)
	}
	f.Fuzz(func(t *testing.T, track, name, function, file string, line int) {
		p := newProfile(name)
		root := core.Site{Track: track, Name: name, Kind: core.Kind(line & 7), Function: function, File: file, Line: line}
		p.record(observation{duration: 2, self: 1, id: 1, sampled: true}, root)
		p.record(observation{duration: 1, self: 1, failed: true}, root, core.Site{Track: name, Name: track, Line: line + 1})
		p.disabled = []string{track}
		s := p.snapshot()

		var table, tree, records, document bytes.Buffer
		require.NoError(t, report.Table(&table, s, report.TableOptions{}))
		require.NoError(t, report.Tree(&tree, s, report.TreeOptions{}))
		for _, text := range []string{table.String(), tree.String()} {
			require.Equal(t, 5+3, strings.Count(text, "\n"), "%s", text)
			require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }))
		}
		require.NoError(t, report.CSV(&records, s, report.CSVOptions{}))
		all, err := csv.NewReader(&records).ReadAll()
		require.NoError(t, err)
		require.Len(t, all, 3)
		require.NoError(t, report.JSON(&document, s, report.JSONOptions{}))
		require.True(t, json.Valid(document.Bytes()))
		for stack, n := range readFolded(t, s, report.FoldedOptions{}) {
			require.Equal(t, uint64(1), n)
			require.LessOrEqual(t, strings.Count(stack, ";"), 1)
		}
		require.Len(t, readPprof(t, s, report.PprofOptions{}).samples, 2)
		exposition(t, s, report.PrometheusOptions{Location: true})
		exposition(t, s, report.PrometheusOptions{OpenMetrics: true})
	})
}
