package report_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// TestPprofOfServices: samples tell their service, and critical paths are a sample type of their own.
func TestPprofOfServices(t *testing.T) {
	s := services()
	p := readPprof(t, s, report.PprofOptions{SampleType: "critical"})
	require.Equal(t, "critical", p.strings[p.fields.number(14)])
	require.Len(t, p.fields[1], 5)
	critical := map[string]int64{}
	for _, sample := range p.samples {
		require.Len(t, sample.values, 5)
		critical[sample.labels["service"]] += sample.values[4]
	}
	require.Equal(t, map[string]int64{"frontend": 20e6, "cart": 30e6, `=cmd;\x1b[31m\u202e`: 0, "": 5e6}, critical)
	require.Equal(t, "POST /checkout [frontend/otelhttp]", p.samples[1].stack[0])
	err := report.Pprof(&bytes.Buffer{}, shop(), report.PprofOptions{SampleType: "critical"})
	require.EqualError(t, err, `pprof: unknown sample type "critical", want one of count, total, self, errors`)
}

func TestTablesOfServices(t *testing.T) {
	s := services()
	var table, diff bytes.Buffer
	require.NoError(t, report.Table(&table, s, report.TableOptions{Top: 1}))
	golden(t, filepath.Join("options", "services-top.txt"), table.Bytes())
	require.NoError(t, report.Diff(&diff, core.Diff(nil, s, core.DiffOptions{}), report.DiffOptions{}))
	golden(t, filepath.Join("options", "services-diff.txt"), diff.Bytes())
}
