package report_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// wireFields are the fields of a protocol buffer message by number: numbers as uint64, the rest as []byte.
type wireFields map[int][]any

// readWire takes a message apart by the rules of the wire format alone.
func readWire(t *testing.T, b []byte) wireFields {
	t.Helper()
	fields := wireFields{}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		require.Positive(t, n)
		b = b[n:]
		v, n := binary.Uvarint(b)
		require.Positive(t, n)
		b = b[n:]
		switch tag & 7 {
		case 0:
			fields[int(tag>>3)] = append(fields[int(tag>>3)], v)
		case 2:
			require.LessOrEqual(t, v, uint64(len(b)))
			fields[int(tag>>3)] = append(fields[int(tag>>3)], b[:v])
			b = b[v:]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
	}
	return fields
}

func (f wireFields) number(field int) int64 {
	if len(f[field]) == 0 {
		return 0
	}
	return int64(f[field][0].(uint64))
}

func (f wireFields) numbers(t *testing.T, field int) (all []int64) {
	t.Helper()
	require.Len(t, f[field], 1)
	for b := f[field][0].([]byte); len(b) > 0; {
		v, n := binary.Uvarint(b)
		require.Positive(t, n)
		all, b = append(all, int64(v)), b[n:]
	}
	return all
}

// pprofProfile is a profile as its reader sees it.
type pprofProfile struct {
	fields  wireFields
	strings []string
	samples []pprofSample
}

type pprofSample struct {
	// stack are function names, the root first.
	stack  []string
	values []int64
	labels map[string]string
}

func readPprof(t *testing.T, s *core.Snapshot, o report.PprofOptions) pprofProfile {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Pprof(&b, s, o))
	zr, err := gzip.NewReader(&b)
	require.NoError(t, err)
	raw, err := io.ReadAll(zr)
	require.NoError(t, err)
	p := pprofProfile{fields: readWire(t, raw)}
	for _, text := range p.fields[6] {
		p.strings = append(p.strings, string(text.([]byte)))
	}
	require.Empty(t, p.strings[0])
	functions, locations := map[int64]string{}, map[int64]string{}
	for _, m := range p.fields[5] {
		f := readWire(t, m.([]byte))
		require.NotEqual(t, f.number(2), f.number(3), "pprof demangles a name that equals the system name")
		functions[f.number(1)] = p.strings[f.number(2)]
	}
	for _, m := range p.fields[4] {
		f := readWire(t, m.([]byte))
		line := readWire(t, f[4][0].([]byte))
		locations[f.number(1)] = functions[line.number(1)]
	}
	for _, m := range p.fields[2] {
		f := readWire(t, m.([]byte))
		sample := pprofSample{values: f.numbers(t, 2), labels: map[string]string{}}
		for _, id := range f.numbers(t, 1) {
			name, ok := locations[id]
			require.True(t, ok, "no location %d", id)
			sample.stack = append([]string{name}, sample.stack...)
		}
		for _, l := range f[3] {
			label := readWire(t, l.([]byte))
			sample.labels[p.strings[label.number(1)]] = p.strings[label.number(2)]
		}
		p.samples = append(p.samples, sample)
	}
	return p
}

func TestPprofHeader(t *testing.T) {
	s := overflow()
	p := readPprof(t, s, report.PprofOptions{})
	var types []string
	for _, m := range p.fields[1] {
		v := readWire(t, m.([]byte))
		types = append(types, p.strings[v.number(1)]+"/"+p.strings[v.number(2)])
	}
	require.Equal(t, []string{"count/count", "total/nanoseconds", "self/nanoseconds", "errors/count"}, types)
	require.Equal(t, "self", p.strings[p.fields.number(14)])
	require.Equal(t, s.Start.UnixNano(), p.fields.number(9))
	require.Equal(t, int64(s.Window()), p.fields.number(10))
	require.Equal(t, int64(1), p.fields.number(12))
	require.Len(t, p.fields[13], 12, "the name and eleven warnings")
	require.Equal(t, "otelprof: full", p.strings[p.fields.number(13)])
	p = readPprof(t, s, report.PprofOptions{SampleType: "total"})
	require.Equal(t, "total", p.strings[p.fields.number(14)])
}

// TestPprofAddsUp proves what the sample types promise: count, self and errors of a track's samples add up to the
// track, and the samples at and below a node add up to its total.
func TestPprofAddsUp(t *testing.T) {
	for _, name := range []string{"empty", "shop", "recursion", "overflow", "large"} {
		s := fixtures()[name]
		p := readPprof(t, s, report.PprofOptions{})
		sums := map[string]core.Stats{}
		totals := map[string]int64{}
		for _, sample := range p.samples {
			sum := sums[sample.labels["track"]]
			sum.Count += uint64(sample.values[0])
			sum.Self += uint64(sample.values[2])
			sum.Errors += uint64(sample.values[3])
			sums[sample.labels["track"]] = sum
			for i := range sample.stack {
				totals[strings.Join(sample.stack[:i+1], "\n")] += sample.values[1]
			}
		}
		for _, track := range s.Tracks() {
			want := core.Stats{Count: track.Stats.Count, Self: track.Stats.Self, Errors: track.Stats.Errors}
			require.Equal(t, want, sums[track.Name], "%s: %s", name, track.Name)
		}
		want := map[string]int64{}
		for i := range s.Blocks {
			if s.Blocks[i].Pending > 0 {
				want["(pending)"] = int64(3 * ms) // of the shop, the only one of these that has any
			}
		}
		for i := range s.Nodes {
			var path []string
			for _, site := range s.Path(i) {
				path = append(path, pprofName(site))
			}
			want[strings.Join(path, "\n")] += int64(s.Nodes[i].Stats.Total)
		}
		for path, total := range want {
			require.Equal(t, total, totals[path], "%s: %q", name, path)
		}
	}
}

func pprofName(s core.Site) string {
	if s.Function != "" {
		return s.Name + " (" + s.Function + ")"
	}
	return s.Name + " [" + s.Track + "]"
}

func TestPprofSaturates(t *testing.T) {
	for _, sample := range readPprof(t, saturated(), report.PprofOptions{}).samples {
		require.Equal(t, int64(math.MaxInt64), sample.values[2])
		require.Contains(t, []int64{0, math.MaxInt64}, sample.values[1])
	}
	s := saturated()
	for range 3 { // as many children as would make the total of the root wrap around
		s.Nodes = append(s.Nodes, s.Nodes[1])
	}
	require.Equal(t, int64(math.MinInt64), readPprof(t, s, report.PprofOptions{}).samples[0].values[1])
}

// goToolPprof runs the tool on profiles and returns what it prints. It fails on any complaint.
func goToolPprof(t *testing.T, args ...string) string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go tool pprof: the go command is not in PATH")
	}
	cmd := exec.Command(goTool, append([]string{"tool", "pprof"}, args...)...)
	cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v: %s", args, stderr.String())
	require.Empty(t, stderr.String())
	return string(out)
}

func pprofFile(t *testing.T, s *core.Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Pprof(&b, s, report.PprofOptions{}))
	path := filepath.Join(t.TempDir(), "profile.pb.gz")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// flatAndCum returns the flat and cum columns of a row of pprof -top.
func flatAndCum(t *testing.T, top, name string) (flat, cum string) {
	t.Helper()
	row := regexp.MustCompile(`(?m)^ *(\S+) +\S+ +\S+ +(\S+) +\S+ +` + regexp.QuoteMeta(name) + `$`).FindStringSubmatch(top)
	require.NotNil(t, row, "%s in\n%s", name, top)
	return row[1], row[2]
}

func TestGoToolPprofTop(t *testing.T) {
	file := pprofFile(t, shop())
	const product, checkout = "GET /products/{id} (example.com/shop.(*Server).product)", "POST /checkout (example.com/shop.(*Server).checkout)"
	for _, c := range []struct{ sampleType, name, flat, cum string }{
		{"self", product, "39ms", "101ms"},
		{"self", "get [cache]", "2ms", "2ms"},
		{"total", product, "57ms", "119ms"},
		{"total", checkout, "-24ms", "48ms"}, // its children ran at the same time
		{"count", product, "20", "100"},
		{"errors", checkout, "1", "2"},
	} {
		flat, cum := flatAndCum(t, goToolPprof(t, "-top", "-sample_index="+c.sampleType, file), c.name)
		require.Equal(t, [2]string{c.flat, c.cum}, [2]string{flat, cum}, "%s of %s", c.sampleType, c.name)
	}
	require.Contains(t, goToolPprof(t, "-top", file), "Type: self\nTime: 2025-01-02")
	require.Contains(t, goToolPprof(t, "-top", "-lines", file), "/src/shop/store.go:9")
	require.Contains(t, goToolPprof(t, "-tags", file), "otelhttp")
	require.Contains(t, goToolPprof(t, "-comments", file), "otelprof: shop\nwarning: tracks switched off: grpc")
}

func TestGoToolPprofCountsRecursionOnce(t *testing.T) {
	_, cum := flatAndCum(t, goToolPprof(t, "-top", "-sample_index=total", pprofFile(t, recursion())), "fib [math]")
	require.Equal(t, "8ms", cum)
}

func TestGoToolPprofPeek(t *testing.T) {
	out := goToolPprof(t, "-peek", "SELECT", pprofFile(t, shop()))
	require.Regexp(t, `60ms.*\|   GET /products`, out)
	require.Regexp(t, `40ms.*\|   POST /checkout`, out)
	require.Regexp(t, `3ms.*\|   \(pending\)`, out)
}

func TestGoToolPprofDiffBase(t *testing.T) {
	later := newProfile("shop")
	cache := core.Site{Track: "cache", Name: "get", Kind: core.KindClient}
	later.record(observation{duration: 7 * ms, self: 7 * ms}, cache)
	earlier := newProfile("shop")
	earlier.record(observation{duration: 3 * ms, self: 3 * ms}, cache)
	out := goToolPprof(t, "-top", "-diff_base="+pprofFile(t, earlier.snapshot()), pprofFile(t, later.snapshot()))
	flat, _ := flatAndCum(t, out, "get [cache]")
	require.Equal(t, "4ms", flat)
}

// TestGoToolPprofReadsEverything proves that the tool accepts every fixture, with all names in one line each.
func TestGoToolPprofReadsEverything(t *testing.T) {
	for name, s := range fixtures() {
		out := goToolPprof(t, "-raw", pprofFile(t, s))
		require.Contains(t, out, "count/count total/nanoseconds self/nanoseconds[dflt] errors/count", name)
		require.Equal(t, len(s.Blocks)+1, len(regexp.MustCompile(`(?m)^ +\d+: 0x0 `).FindAllString(out, -1)), name)
	}
}
