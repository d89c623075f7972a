package report_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

func TestFormatsAreComplete(t *testing.T) {
	var names []string
	extensions := map[string]bool{}
	for _, f := range report.Formats() {
		names = append(names, f.Name)
		require.NotEmpty(t, f.Description)
		require.Contains(t, f.ContentType, "/")
		require.True(t, strings.HasPrefix(f.Extension, "."), f.Extension)
		require.False(t, extensions[f.Extension], "%s twice", f.Extension)
		extensions[f.Extension] = true
	}
	require.Equal(t, []string{
		"table", "tree", "html", "csv", "csv-stichotrope", "json", "json-stichotrope", "folded", "pprof", "prometheus", "openmetrics",
	}, names)
}

func TestLookup(t *testing.T) {
	for _, want := range report.Formats() {
		got, err := report.Lookup(want.Name)
		require.NoError(t, err)
		require.Equal(t, want.Description, got.Description)
	}
	_, err := report.Lookup("xml")
	require.ErrorContains(t, err, `"xml"`)
	require.ErrorContains(t, err, "table, tree,")
}

// TestEveryFormatWritesEveryFixture also proves that the text is valid UTF-8 and always the same.
func TestEveryFormatWritesEveryFixture(t *testing.T) {
	for name, s := range fixtures() {
		for _, f := range report.Formats() {
			t.Run(name+"/"+f.Name, func(t *testing.T) {
				var first, second bytes.Buffer
				require.NoError(t, f.Write(&first, s))
				require.NoError(t, f.Write(&second, s))
				require.True(t, bytes.Equal(first.Bytes(), second.Bytes()), "the same snapshot twice gives two texts")
				require.True(t, f.Name == "pprof" || utf8.Valid(first.Bytes()))
			})
		}
	}
}

// TestTextIsHarmless proves that the formats people look at in a terminal or a spreadsheet hold nothing invisible.
func TestTextIsHarmless(t *testing.T) {
	for _, name := range []string{"table", "tree", "folded", "csv", "csv-stichotrope"} {
		f, err := report.Lookup(name)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, f.Write(&b, hostile()))
		for _, r := range b.String() {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%s holds %U", name, r)
		}
	}
}

var errDiskFull = errors.New("disk full")

// fullDisk takes a number of bytes.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		n := d.room
		d.room = 0
		return n, errDiskFull
	}
	d.room -= len(b)
	return len(b), nil
}

func TestWriteErrorsComeBack(t *testing.T) {
	for _, f := range report.Formats() {
		for _, room := range []int{0, 5, 100} {
			require.ErrorIs(t, f.Write(&fullDisk{room}, shop()), errDiskFull, "%s with room for %d", f.Name, room)
		}
	}
}

func TestBadOptionsAreErrorsBeforeAnythingIsWritten(t *testing.T) {
	for want, write := range map[string]func(io.Writer, *core.Snapshot) error{
		`cannot sort by "size", want one of total, self,`: func(w io.Writer, s *core.Snapshot) error {
			return report.Table(w, s, report.TableOptions{Sort: "size"})
		},
		`tree: cannot sort by "size"`: func(w io.Writer, s *core.Snapshot) error {
			return report.Tree(w, s, report.TreeOptions{Sort: "size"})
		},
		"minimum share 1.5 is not between 0 and 1": func(w io.Writer, s *core.Snapshot) error {
			return report.Tree(w, s, report.TreeOptions{MinShare: 1.5})
		},
		`unknown value "bytes", want one of self, count, errors`: func(w io.Writer, s *core.Snapshot) error {
			return report.Folded(w, s, report.FoldedOptions{Value: "bytes"})
		},
		`unknown sample type "cpu", want one of count, total, self, errors`: func(w io.Writer, s *core.Snapshot) error {
			return report.Pprof(w, s, report.PprofOptions{SampleType: "cpu"})
		},
		"bucket bound 0.1: bounds must be finite, above 0 and ascending": func(w io.Writer, s *core.Snapshot) error {
			return report.Prometheus(w, s, report.PrometheusOptions{Buckets: []float64{0.5, 0.1}})
		},
	} {
		var b bytes.Buffer
		require.ErrorContains(t, write(&b, shop()), want)
		require.Empty(t, b.String())
	}
}
