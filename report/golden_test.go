package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with the file testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with -update")
	require.Equal(t, string(want), string(got), "if the change is meant, write %s with -update", path)
}

// TestGoldenFormats pins what every text format makes of some profiles with its default options.
func TestGoldenFormats(t *testing.T) {
	for _, f := range report.Formats() {
		if f.Name == "pprof" || f.Name == "html" {
			continue // not text to be compared line by line: they have tests of their own
		}
		for _, name := range []string{"empty", "shop", "hostile", "recursion", "overflow", "services"} {
			if name == "hostile" && (f.Name == "prometheus" || f.Name == "openmetrics") {
				continue // long, and read back by TestPrometheusIsWellFormed
			}
			t.Run(f.Name+"/"+name, func(t *testing.T) {
				var b bytes.Buffer
				require.NoError(t, f.Write(&b, fixtures()[name]))
				golden(t, name+f.Extension, b.Bytes())
			})
		}
	}
}

// TestGoldenOptions pins what options change.
func TestGoldenOptions(t *testing.T) {
	s := shop()
	for name, write := range map[string]func(b *bytes.Buffer) error{
		"table-top.txt": func(b *bytes.Buffer) error {
			return report.Table(b, s, report.TableOptions{Sort: report.SortErrors, Top: 2})
		},
		"table-color.ansi":         func(b *bytes.Buffer) error { return report.Table(b, s, report.TableOptions{Color: true, Width: 8}) },
		"tree-share.txt":           func(b *bytes.Buffer) error { return report.Tree(b, s, report.TreeOptions{MinShare: 0.2}) },
		"tree-depth.ansi":          func(b *bytes.Buffer) error { return report.Tree(b, s, report.TreeOptions{MaxDepth: 1, Color: true}) },
		"tree-recursion-depth.txt": func(b *bytes.Buffer) error { return report.Tree(b, recursion(), report.TreeOptions{MaxDepth: 2}) },
		"count.folded": func(b *bytes.Buffer) error {
			return report.Folded(b, s, report.FoldedOptions{Value: report.FoldedCount})
		},
		"errors.folded": func(b *bytes.Buffer) error {
			return report.Folded(b, s, report.FoldedOptions{Value: report.FoldedErrors})
		},
		"indent.json": func(b *bytes.Buffer) error { return report.JSON(b, recursion(), report.JSONOptions{Indent: true}) },
		"location.prom": func(b *bytes.Buffer) error {
			return report.Prometheus(b, s, report.PrometheusOptions{Location: true, Buckets: []float64{0.001, 1}})
		},
		"unsampled.om": func(b *bytes.Buffer) error {
			return report.Prometheus(b, s, report.PrometheusOptions{OpenMetrics: true, UnsampledExemplars: true, Buckets: []float64{}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, write(&b))
			golden(t, filepath.Join("options", name), b.Bytes())
		})
	}
}
