package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// readCSV parses the CSV report into one map for each block.
func readCSV(t *testing.T, s *core.Snapshot, o report.CSVOptions) (header []string, records []map[string]string) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.CSV(&b, s, o))
	require.Equal(t, len(s.Blocks)+1, strings.Count(b.String(), "\n"), "a record is a line")
	all, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	for _, fields := range all[1:] {
		record := map[string]string{}
		for i, field := range fields {
			record[all[0][i]] = field
		}
		records = append(records, record)
	}
	return all[0], records
}

// TestCSVReadsBack compares every column with the snapshot.
func TestCSVReadsBack(t *testing.T) {
	for _, name := range []string{"shop", "recursion", "overflow", "services", "saturated", "large"} {
		s := fixtures()[name]
		_, records := readCSV(t, s, report.CSVOptions{})
		require.Len(t, records, len(s.Blocks))
		for i, r := range records {
			site, st := s.Blocks[i].Site, s.Blocks[i].Stats
			require.Equal(t, site, core.Site{
				Service: strings.NewReplacer("'=", "=", `\x1b`, "\x1b", `\u202e`, "\u202e").Replace(r["service"]),
				Track:   r["track"], Name: r["name"], Kind: parseKind(t, r["kind"]), Function: r["function"],
				File: r["file"], Line: int(parseUint(t, r["line"])),
			})
			_, critical := r["critical_ns"]
			require.Equal(t, name == "services", critical, "there is a column where there is a critical path")
			if critical {
				require.Equal(t, st.Critical, parseUint(t, r["critical_ns"]))
			}
			for column, want := range map[string]uint64{
				"count": st.Count, "errors": st.Errors, "total_ns": st.Total, "self_ns": st.Self, "min_ns": st.Min,
				"max_ns": st.Max, "bytes": st.Bytes, "pending": uint64(s.Blocks[i].Pending),
			} {
				require.Equal(t, want, parseUint(t, r[column]), column)
			}
			for column, want := range map[string]float64{
				"mean_ns": st.Mean(), "stddev_ns": st.StdDev(), "p50_ns": st.Quantile(.5), "p90_ns": st.Quantile(.9),
				"p95_ns": st.Quantile(.95), "p99_ns": st.Quantile(.99), "p999_ns": st.Quantile(.999),
			} {
				got, err := strconv.ParseFloat(r[column], 64)
				require.NoError(t, err)
				require.InDelta(t, want, got, 0.051, column)
			}
			require.Equal(t, strconv.FormatInt(st.Active, 10), r["active"])
			require.Equal(t, exemplarText(st.Slowest), r["slowest_trace_id"]+r["slowest_span_id"])
			require.Equal(t, exemplarText(st.LastError), r["last_error_trace_id"]+r["last_error_span_id"])
			first, err := time.Parse(time.RFC3339Nano, r["first_seen"])
			require.NoError(t, err)
			require.Equal(t, st.First, first.UnixNano())
		}
	}
}

func exemplarText(e core.Exemplar) string {
	if e.IsZero() {
		return ""
	}
	return hex.EncodeToString(e.Trace[:]) + hex.EncodeToString(e.Span[:])
}

func parseUint(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err)
	return n
}

func parseKind(t *testing.T, s string) core.Kind {
	t.Helper()
	var k core.Kind
	require.NoError(t, k.UnmarshalText([]byte(s)))
	return k
}

func TestCSVHasNoFormulas(t *testing.T) {
	for _, o := range []report.CSVOptions{{}, {Stichotrope: true}} {
		_, records := readCSV(t, hostile(), o)
		for _, r := range records {
			for column, field := range r {
				require.False(t, strings.ContainsAny(field[:min(1, len(field))], "=+-@\t\r"), "%s: %q", column, field)
			}
		}
	}
}

func TestCSVOfIdleBlockHasNoMoments(t *testing.T) {
	s := &core.Snapshot{Blocks: []core.Block{{Site: core.Site{Track: "t", Name: "open"}, Stats: core.Stats{Active: 1}}}}
	_, records := readCSV(t, s, report.CSVOptions{})
	require.Empty(t, records[0]["first_seen"]+records[0]["last_seen"])
	require.Equal(t, "0.00", records[0]["self_percent"])
}

// TestCSVStichotrope checks the columns by name and the percentages by what they must add up to.
func TestCSVStichotrope(t *testing.T) {
	s := shop()
	header, records := readCSV(t, s, report.CSVOptions{Stichotrope: true})
	require.Equal(t, "Track,Block Name,Hit Count,Total Time (ns),Avg Time (ns),Min Time (ns),Max Time (ns),% Track,% Total", strings.Join(header, ","))
	tracks, total := map[string]float64{}, 0.0
	for i, r := range records {
		st := s.Blocks[i].Stats
		require.Equal(t, s.Blocks[i].Site.Name, r["Block Name"])
		require.Equal(t, st.Count, parseUint(t, r["Hit Count"]))
		require.Equal(t, st.Total, parseUint(t, r["Total Time (ns)"]))
		require.InDelta(t, st.Mean(), float64(parseUint(t, r["Avg Time (ns)"])), 0.5)
		require.Equal(t, st.Min, parseUint(t, r["Min Time (ns)"]))
		require.Equal(t, st.Max, parseUint(t, r["Max Time (ns)"]))
		ofTrack, err := strconv.ParseFloat(r["% Track"], 64)
		require.NoError(t, err)
		ofAll, err := strconv.ParseFloat(r["% Total"], 64)
		require.NoError(t, err)
		tracks[r["Track"]] += ofTrack
		total += ofAll
	}
	require.InDelta(t, 100, total, 0.05)
	for track, sum := range tracks {
		require.InDelta(t, 100, sum, 0.05, track)
	}
}
