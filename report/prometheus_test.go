package report_test

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// metricFamily is a family as a strict reader of the text sees it.
type metricFamily struct {
	kind, unit string
	samples    []metricSample
}

type metricSample struct {
	name     string
	labels   map[string]string
	key      string // the labels as they are written, without le
	value    float64
	exemplar *metricSample
}

var (
	metadataLine = regexp.MustCompile(`^# (HELP|TYPE|UNIT) ([a-z][a-z0-9_]*) (.+)$`)
	sampleLine   = regexp.MustCompile(`^([a-z][a-z0-9_]*)(\{[^}].*?\})? (\S+)(?: # (\{.*\}) (\S+) (\S+))?$`)
	labelPair    = regexp.MustCompile(`^([a-z][a-z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)`)
	floatLiteral = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?$|^\+Inf$`)
	unescape     = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
)

// parseExposition reads the text by the rules of the format and fails on everything that a scraper may refuse:
// samples outside of their family, wrong suffixes, series twice, bad escapes, histograms that do not add up.
func parseExposition(t *testing.T, text string, openMetrics bool) map[string]*metricFamily {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.True(t, strings.HasSuffix(text, "\n"))
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if openMetrics {
		require.Equal(t, "# EOF", lines[len(lines)-1])
		lines = lines[:len(lines)-1]
	}
	families, seen := map[string]*metricFamily{}, map[string]bool{}
	name := ""
	for _, line := range lines {
		if m := metadataLine.FindStringSubmatch(line); m != nil {
			if m[1] == "HELP" {
				require.NotContains(t, families, m[2], "family twice")
				name, families[m[2]] = m[2], &metricFamily{}
			}
			require.Equal(t, name, m[2])
			f := families[name]
			require.Empty(t, f.samples, "metadata after a sample")
			switch m[1] {
			case "TYPE":
				f.kind = m[3]
			case "UNIT":
				require.True(t, openMetrics)
				require.True(t, strings.HasSuffix(name, "_"+m[3]), "the name must end in the unit")
				f.unit = m[3]
			}
			continue
		}
		sample := parseSample(t, line)
		require.False(t, seen[sample.name+sample.key+sample.labels["le"]], "series twice: %s", line)
		seen[sample.name+sample.key+sample.labels["le"]] = true
		checkSuffix(t, name, families[name].kind, sample, openMetrics)
		families[name].samples = append(families[name].samples, sample)
	}
	for name, f := range families {
		require.NotEmpty(t, f.kind, name)
		if f.kind == "histogram" {
			checkHistograms(t, f, openMetrics)
		}
	}
	return families
}

func parseSample(t *testing.T, line string) metricSample {
	t.Helper()
	m := sampleLine.FindStringSubmatch(line)
	require.NotNil(t, m, "%q", line)
	require.True(t, floatLiteral.MatchString(m[3]), "%q", line)
	value, err := strconv.ParseFloat(m[3], 64)
	require.NoError(t, err)
	s := metricSample{name: m[1], value: value}
	s.labels, s.key = parseLabels(t, m[2])
	if m[4] != "" {
		s.exemplar = &metricSample{}
		s.exemplar.labels, _ = parseLabels(t, m[4])
		length := 0
		for k, v := range s.exemplar.labels {
			length += utf8.RuneCountInString(k + v)
		}
		require.LessOrEqual(t, length, 128, "the limit of OpenMetrics for an exemplar")
		s.exemplar.value, err = strconv.ParseFloat(m[5], 64)
		require.NoError(t, err)
		_, err = strconv.ParseFloat(m[6], 64)
		require.NoError(t, err)
	}
	return s
}

func parseLabels(t *testing.T, text string) (labels map[string]string, key string) {
	t.Helper()
	labels = map[string]string{}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	for text != "" {
		m := labelPair.FindStringSubmatch(text)
		require.NotNil(t, m, "labels at %q", text)
		_, twice := labels[m[1]]
		require.False(t, twice, "label %s twice", m[1])
		labels[m[1]] = unescape.Replace(m[2])
		if m[1] != "le" {
			key += m[1] + "=" + m[2] + ","
		}
		text = text[len(m[0]):]
	}
	return labels, key
}

func checkSuffix(t *testing.T, family, kind string, s metricSample, openMetrics bool) {
	t.Helper()
	allowed := []string{family}
	switch {
	case kind == "histogram":
		allowed = []string{family + "_bucket", family + "_sum", family + "_count"}
	case kind == "counter" && openMetrics:
		allowed = []string{family + "_total"}
	case kind == "counter":
		require.True(t, strings.HasSuffix(family, "_total"), family)
	}
	require.True(t, slices.Contains(allowed, s.name), "%s in the family %s", s.name, family)
	if s.exemplar != nil {
		require.True(t, openMetrics)
		require.True(t, strings.HasSuffix(s.name, "_bucket") || kind == "counter", "no exemplar may stand at %s", s.name)
	}
}

// checkHistograms reads each histogram as a run of buckets, sum and count.
func checkHistograms(t *testing.T, f *metricFamily, openMetrics bool) {
	t.Helper()
	lower, last, key := math.Inf(-1), 0.0, ""
	for _, s := range f.samples {
		switch {
		case strings.HasSuffix(s.name, "_bucket"):
			if math.IsInf(lower, -1) {
				key = s.key
			}
			require.Equal(t, key, s.key)
			le, err := strconv.ParseFloat(s.labels["le"], 64)
			require.NoError(t, err)
			require.Equal(t, openMetrics || math.IsInf(le, 1) || le != math.Trunc(le), strings.ContainsAny(s.labels["le"], ".eI"))
			require.Greater(t, le, lower)
			require.GreaterOrEqual(t, s.value, last)
			if s.exemplar != nil {
				require.Greater(t, s.exemplar.value, lower)
				require.LessOrEqual(t, s.exemplar.value, le)
			}
			lower, last = le, s.value
		case strings.HasSuffix(s.name, "_count"):
			require.True(t, math.IsInf(lower, 1), "the bucket +Inf is missing")
			require.Equal(t, last, s.value)
			lower, last = math.Inf(-1), 0
		}
	}
}

func exposition(t *testing.T, s *core.Snapshot, o report.PrometheusOptions) map[string]*metricFamily {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Prometheus(&b, s, o))
	return parseExposition(t, b.String(), o.OpenMetrics)
}

func TestPrometheusIsWellFormed(t *testing.T) {
	all := []report.PrometheusOptions{
		{OpenMetrics: true}, {}, {Location: true},
		{OpenMetrics: true, UnsampledExemplars: true, Buckets: []float64{1e-9, 1, 2, 1e12}},
	}
	for name, s := range fixtures() {
		options := all
		if name == "large" || name == "huge" {
			options = all[:1] // the reader of this test is slow
		}
		for _, o := range options {
			t.Run(fmt.Sprintf("%s/%+v", name, o), func(t *testing.T) { exposition(t, s, o) })
		}
	}
}

// TestPrometheusValues compares every sample with the snapshot.
func TestPrometheusValues(t *testing.T) {
	for _, name := range []string{"shop", "overflow", "large", "recursion"} {
		s := fixtures()[name]
		o := report.PrometheusOptions{Location: true, Buckets: []float64{0.0005, 0.002, 1}}
		families := exposition(t, s, o)
		got := map[string]map[string]float64{} // by the labels without le, then by name and le
		for _, f := range families {
			for _, sample := range f.samples {
				if got[sample.key] == nil {
					got[sample.key] = map[string]float64{}
				}
				got[sample.key][sample.name+sample.labels["le"]] = sample.value
			}
		}
		for i := range s.Blocks {
			st := s.Blocks[i].Stats
			want := map[string]float64{
				"otelprof_calls_total": float64(st.Count), "otelprof_errors_total": float64(st.Errors),
				"otelprof_self_seconds_total": float64(st.Self) / 1e9, "otelprof_total_seconds_total": float64(st.Total) / 1e9,
				"otelprof_active_calls": float64(st.Active), "otelprof_duration_seconds_count": float64(st.Count),
				"otelprof_duration_seconds_sum":        float64(st.Total) / 1e9,
				"otelprof_duration_seconds_bucket+Inf": float64(st.Count),
			}
			for le, bound := range map[string]uint64{"0.0005": ms / 2, "0.002": 2 * ms, "1": 1000 * ms} {
				want["otelprof_duration_seconds_bucket"+le] = float64(st.Histogram.CountAtMost(bound))
			}
			if st.Bytes > 0 {
				want["otelprof_processed_bytes_total"] = float64(st.Bytes)
			}
			require.Equal(t, want, got[siteKey(s.Blocks[i].Site)])
		}
		require.Equal(t, float64(epoch.Unix()), families["otelprof_start_time_seconds"].samples[0].value)
		require.Equal(t, float64(s.Counters.Spans), families["otelprof_recorded_spans_total"].samples[0].value)
		require.Equal(t, float64(s.Counters.SelfInexact), families["otelprof_self_inexact_total"].samples[0].value)
	}
}

// siteKey returns the labels of a site whose names need no escapes.
func siteKey(s core.Site) string {
	return fmt.Sprintf("track=%s,name=%s,kind=%s,function=%s,file=%s,line=%d,", s.Track, s.Name, s.Kind, s.Function, s.File, s.Line)
}

// TestPrometheusMergesWhatLabelsDoNotTell proves that sites that differ in their location alone are one series.
func TestPrometheusMergesWhatLabelsDoNotTell(t *testing.T) {
	p := newProfile("merge")
	p.record(observation{duration: ms, self: ms}, core.Site{Track: "t", Name: "n", Line: 1})
	p.record(observation{duration: ms, self: ms}, core.Site{Track: "t", Name: "n", Line: 2})
	p.record(observation{duration: ms, self: ms}, core.Site{Track: "t", Name: "\xff"})
	p.record(observation{duration: ms, self: ms}, core.Site{Track: "t", Name: "\xfe"})
	calls := exposition(t, p.snapshot(), report.PrometheusOptions{})["otelprof_calls_total"].samples
	require.Len(t, calls, 2)
	require.Equal(t, []float64{2, 2}, []float64{calls[0].value, calls[1].value})
	require.Len(t, exposition(t, p.snapshot(), report.PrometheusOptions{Location: true})["otelprof_calls_total"].samples, 3)
}

func TestOpenMetricsExemplars(t *testing.T) {
	count := func(o report.PrometheusOptions) (buckets, errors int) {
		o.OpenMetrics = true
		families := exposition(t, shop(), o)
		for _, s := range families["otelprof_duration_seconds"].samples {
			if s.exemplar != nil {
				buckets++
			}
		}
		for _, s := range families["otelprof_errors"].samples {
			if s.exemplar != nil {
				errors++
				if s.labels["track"] == "otelhttp" {
					require.Equal(t, map[string]string{"trace_id": "00000000000000000000000000000067", "span_id": "0000000000000067"}, s.exemplar.labels)
					require.Equal(t, 0.012, s.exemplar.value)
				}
			}
		}
		return buckets, errors
	}
	buckets, errors := count(report.PrometheusOptions{})
	require.Equal(t, [2]int{1, 1}, [2]int{buckets, errors}, "the sampled ones alone")
	buckets, errors = count(report.PrometheusOptions{UnsampledExemplars: true})
	require.Equal(t, [2]int{3, 2}, [2]int{buckets, errors})
}

func TestPrometheusRefusesBounds(t *testing.T) {
	for _, bounds := range [][]float64{{0}, {-1}, {1, 1}, {2, 1}, {math.NaN()}, {1, math.Inf(1)}} {
		require.Error(t, report.Prometheus(&bytes.Buffer{}, shop(), report.PrometheusOptions{Buckets: bounds}), "%v", bounds)
	}
	require.NoError(t, report.Prometheus(&bytes.Buffer{}, shop(), report.PrometheusOptions{Buckets: report.DefaultBuckets()}))
}
