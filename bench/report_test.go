package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestReport(t *testing.T) {
	golden := filepath.Join("testdata", "report.golden.md")
	got := report{
		environment: environment{
			date: "2026-11-23", goVersion: "go1.26.8", machine: "2 CPUs", system: "linux/amd64", command: "go run ./bench",
		},
		chapters: []chapter{
			{
				title: "A span", text: "What it is.",
				tables: []table{{
					header: []string{"what", "ns"},
					rows:   [][]string{{"µs and ±", "9 ± 1"}, {"a longer name", "100 ± 20"}, {"", "0"}},
				}},
				targets: []target{
					{what: "fast", limit: "≤ 100 ns", measured: "99.0 ns", met: true},
					{what: "faster", limit: "≤ 50.0 ns", measured: "99.0 ns"},
				},
			},
			{title: "No figures", text: "There are none."},
		},
	}.markdown()
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err, "run go test -update")
	require.Equal(t, string(want), got)
}

func TestReportWithoutTargetsHasNoTableOfThem(t *testing.T) {
	require.NotContains(t, report{chapters: []chapter{{title: "x"}}}.markdown(), "Targets")
}
