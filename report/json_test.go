package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// readJSON parses the JSON report as a program would, and fails on keys that the target does not know.
func readJSON(t *testing.T, s *core.Snapshot, o report.JSONOptions, target any) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, s, o))
	text := bytes.Clone(b.Bytes())
	require.True(t, utf8.Valid(text))
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(target))
	return text
}

// The schema as a reader would declare it.
type (
	jsonReport struct {
		Version        int
		Names          []string
		Start, End     *string
		Window         int64    `json:"window_ns"`
		DisabledTracks []string `json:"disabled_tracks"`
		Counters       core.Counters
		Tracks         []struct {
			Service string
			Name    string
			Enabled bool
			Stats   jsonStats
			Blocks  []struct {
				ID        int
				Name      string
				Kind      core.Kind
				Function  string
				File      string
				Line      int
				Pending   int64
				Stats     jsonStats
				Histogram struct {
					Scale   int
					Zero    uint64 `json:"zero_count"`
					Buckets []struct {
						Index int32
						Upper uint64 `json:"upper_ns"`
						Count uint64
					}
				}
			}
		}
		Nodes []struct {
			Parent, Block int
			Stats         jsonStats
		}
	}
	jsonStats struct {
		Count, Errors, Bytes uint64
		ErrorRate            float64  `json:"error_rate"`
		Total                uint64   `json:"total_ns"`
		Self                 uint64   `json:"self_ns"`
		Critical             uint64   `json:"critical_ns"`
		Mean                 float64  `json:"mean_ns"`
		StdDev               float64  `json:"stddev_ns"`
		Min                  uint64   `json:"min_ns"`
		Max                  uint64   `json:"max_ns"`
		P50                  float64  `json:"p50_ns"`
		P90                  float64  `json:"p90_ns"`
		P95                  float64  `json:"p95_ns"`
		P99                  float64  `json:"p99_ns"`
		P999                 float64  `json:"p999_ns"`
		SelfP50              *float64 `json:"self_p50_ns"`
		SelfP99              *float64 `json:"self_p99_ns"`
		Active               int64
		First, Last          *string
		Slowest              *jsonExemplar
		LastError            *jsonExemplar `json:"last_error"`
	}
	jsonExemplar struct {
		Trace    string `json:"trace_id"`
		Span     string `json:"span_id"`
		Duration uint64 `json:"duration_ns"`
		Time     string
		Sampled  bool
	}
)

// TestJSONReadsBack compares everything that was read with the snapshot.
func TestJSONReadsBack(t *testing.T) {
	for name, s := range fixtures() {
		if name == "deep" || name == "huge" || name == "hostile" {
			continue
		}
		var r jsonReport
		readJSON(t, s, report.JSONOptions{}, &r)
		require.Equal(t, 1, r.Version)
		require.Equal(t, append([]string{}, s.Names...), r.Names)
		require.Equal(t, append([]string{}, s.DisabledTracks...), r.DisabledTracks)
		require.Equal(t, s.Counters, r.Counters)
		require.Equal(t, int64(s.Window()), r.Window)
		require.Len(t, r.Nodes, len(s.Nodes))
		id := 0
		for _, track := range r.Tracks {
			for _, b := range track.Blocks {
				want := s.Blocks[id]
				require.Equal(t, id, b.ID)
				require.Equal(t, want.Site, core.Site{Service: track.Service, Track: track.Name, Name: b.Name, Kind: b.Kind, Function: b.Function, File: b.File, Line: b.Line})
				require.Equal(t, want.Pending, b.Pending)
				checkJSONStats(t, want.Stats, b.Stats)
				var buckets []core.Bucket
				for _, k := range b.Histogram.Buckets {
					require.Equal(t, core.BucketUpper(int(k.Index)), k.Upper)
					buckets = append(buckets, core.Bucket{Index: k.Index, Count: k.Count})
				}
				require.Equal(t, want.Stats.Histogram, core.NewHistogram(b.Histogram.Zero, buckets))
				id++
			}
		}
		require.Equal(t, len(s.Blocks), id)
		for i, n := range r.Nodes {
			require.Equal(t, [2]int{s.Nodes[i].Parent, s.Nodes[i].Block}, [2]int{n.Parent, n.Block})
			checkJSONStats(t, s.Nodes[i].Stats, n.Stats)
		}
	}
}

func checkJSONStats(t *testing.T, want core.Stats, got jsonStats) {
	t.Helper()
	require.Equal(t, []uint64{want.Count, want.Errors, want.Bytes, want.Total, want.Self, want.Critical, want.Min, want.Max},
		[]uint64{got.Count, got.Errors, got.Bytes, got.Total, got.Self, got.Critical, got.Min, got.Max})
	require.Equal(t, []float64{want.Mean(), want.StdDev(), want.ErrorRate()}, []float64{got.Mean, got.StdDev, got.ErrorRate})
	for q, v := range map[float64]float64{.5: got.P50, .9: got.P90, .95: got.P95, .99: got.P99, .999: got.P999} {
		require.Equal(t, want.Quantile(q), v)
	}
	require.Equal(t, want.SelfHistogram != nil, got.SelfP50 != nil && got.SelfP99 != nil)
	require.Equal(t, want.SelfHistogram == nil, got.SelfP50 == nil && got.SelfP99 == nil)
	if got.SelfP50 != nil {
		require.Equal(t, []float64{want.SelfQuantile(0.5), want.SelfQuantile(0.99)}, []float64{*got.SelfP50, *got.SelfP99})
	}
	require.Equal(t, want.Active, got.Active)
	require.Equal(t, want.Count > 0, got.First != nil && got.Last != nil)
	for _, e := range []struct {
		want core.Exemplar
		got  *jsonExemplar
	}{{want.Slowest, got.Slowest}, {want.LastError, got.LastError}} {
		require.Equal(t, e.want.IsZero(), e.got == nil)
		if e.got != nil {
			require.Equal(t, exemplarText(e.want), e.got.Trace+e.got.Span)
			require.Equal(t, e.want.Duration, e.got.Duration)
			require.Equal(t, e.want.Sampled, e.got.Sampled)
		}
	}
}

// TestJSONArraysAreNeverNull looks at every value that is null: only those that are documented as such may be.
func TestJSONArraysAreNeverNull(t *testing.T) {
	for _, o := range []report.JSONOptions{{}, {Stichotrope: true}} {
		for _, s := range []*core.Snapshot{{}, shop(), {Blocks: []core.Block{{}}}} {
			var v any
			readJSON(t, s, o, &v)
			var walk func(key string, v any)
			walk = func(key string, v any) {
				switch v := v.(type) {
				case nil:
					require.Contains(t, []string{"start", "end", "first", "last", "slowest", "last_error"}, key)
				case map[string]any:
					for k, x := range v {
						walk(k, x)
					}
				case []any:
					for _, x := range v {
						walk("element", x)
					}
				}
			}
			walk("", v)
		}
	}
}

func TestJSONShowsQuantilesOfSelfTimes(t *testing.T) {
	s := shop()
	require.NotContains(t, string(readJSON(t, s, report.JSONOptions{}, new(jsonReport))), "self_p50_ns", "they are not known")
	stats := &s.Blocks[0].Stats
	stats.SelfHistogram = &stats.Histogram
	var r jsonReport
	readJSON(t, s, report.JSONOptions{}, &r)
	checkJSONStats(t, *stats, r.Tracks[0].Blocks[0].Stats)
	require.InEpsilon(t, stats.Quantile(0.99), *r.Tracks[0].Blocks[0].Stats.SelfP99, 1e-9)
}

func TestJSONKeepsAllDigits(t *testing.T) {
	var r jsonReport
	text := readJSON(t, saturated(), report.JSONOptions{}, &r)
	require.Contains(t, string(text), `"total_ns":`+strconv.FormatUint(math.MaxUint64, 10))
	require.Contains(t, string(text), `"active":`+strconv.FormatInt(math.MinInt64, 10))
}

// TestJSONKeepsNames proves that a valid name comes back as it was, and an invalid one with U+FFFD.
func TestJSONKeepsNames(t *testing.T) {
	want := map[string]bool{}
	for _, name := range hostileNames {
		want[string([]rune(name))] = true // U+FFFD for each byte that is not UTF-8
	}
	delete(want, "")
	var r jsonReport
	readJSON(t, hostile(), report.JSONOptions{}, &r)
	n := 0
	for _, track := range r.Tracks {
		for _, b := range track.Blocks {
			if b.Name != "" {
				require.Contains(t, want, b.Name)
				n++
			}
		}
	}
	require.Equal(t, 3*(len(hostileNames)-1), n)
}

func TestJSONStichotrope(t *testing.T) {
	var r struct {
		Profiler string `json:"profiler_name"`
		Tracks   []struct {
			Index   int    `json:"track_idx"`
			Name    string `json:"track_name"`
			Enabled bool
			Blocks  []struct {
				Name, File string
				Line       int
				Hits       uint64  `json:"hit_count"`
				Total      uint64  `json:"total_time_ns"`
				Avg        float64 `json:"avg_time_ns"`
				Min        uint64  `json:"min_time_ns"`
				Max        uint64  `json:"max_time_ns"`
			}
		}
	}
	s := shop()
	s.DisabledTracks = []string{"images"}
	readJSON(t, s, report.JSONOptions{Stichotrope: true}, &r)
	require.Equal(t, "shop", r.Profiler)
	at := 0
	for i, track := range r.Tracks {
		require.Equal(t, i, track.Index)
		require.Equal(t, track.Name != "images", track.Enabled)
		for _, b := range track.Blocks {
			want := s.Blocks[at]
			require.Equal(t, want.Site.Track, track.Name)
			require.Equal(t, []any{want.Site.Name, want.Site.File, want.Site.Line}, []any{b.Name, b.File, b.Line})
			require.Equal(t, []uint64{want.Stats.Count, want.Stats.Total, want.Stats.Min, want.Stats.Max}, []uint64{b.Hits, b.Total, b.Min, b.Max})
			require.Equal(t, want.Stats.Mean(), b.Avg)
			at++
		}
	}
	require.Equal(t, len(s.Blocks), at)
}
