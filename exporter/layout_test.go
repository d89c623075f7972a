package exporter

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// draw returns the boxes as lines of "parent: start-end".
func draw(boxes []box) string {
	var b strings.Builder
	for _, x := range boxes {
		fmt.Fprintf(&b, "%d: %d-%d\n", x.parent, x.start, x.end)
	}
	return b.String()
}

func TestLayOut(t *testing.T) {
	for _, c := range []struct {
		name  string
		boxes []box
		want  string
	}{
		{"children in descending order", []box{{parent: -1, total: 100}, {total: 20}, {total: 50}, {total: 20}},
			"-1: 0-100\n0: 50-70\n0: 0-50\n0: 70-90\n"},
		{"two levels", []box{{parent: -1, total: 100}, {total: 10}, {parent: 1, total: 4}, {total: 30}, {parent: 3, total: 6}, {parent: 3, total: 7}},
			"-1: 0-100\n0: 30-40\n1: 30-34\n0: 0-30\n3: 7-13\n3: 0-7\n"},
		{"concurrent children make room", []box{{parent: -1, total: 10}, {total: 8}, {parent: 1, total: 8}, {parent: 1, total: 8}, {total: 9}},
			"-1: 0-25\n0: 9-25\n1: 9-17\n1: 17-25\n0: 0-9\n"},
		{"nothing", []box{{parent: -1}, {}}, "-1: 0-0\n0: 0-0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Zero(t, layOut(c.boxes, 0))
			require.Equal(t, c.want, draw(c.boxes))
		})
	}
}

// TestLayOutNests: in every picture, children lie side by side within their parents, and a span is as long as its total
// unless its children need more.
func TestLayOutNests(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		boxes := []box{{parent: -1, total: r.Uint64N(1000)}}
		for range r.IntN(60) {
			boxes = append(boxes, box{parent: r.IntN(len(boxes)), total: r.Uint64() >> r.IntN(64)})
		}
		start := time.Now().UnixNano()
		shift := layOut(boxes, start)
		require.LessOrEqual(t, boxes[0].end, uint64(math.MaxInt64-start))
		used := make([]uint64, len(boxes))
		for i, b := range boxes {
			require.LessOrEqual(t, b.start, b.end)
			if b.parent >= 0 {
				p := boxes[b.parent]
				require.True(t, p.start <= b.start && b.end <= p.end, "seed %d: %d sticks out of its parent:\n%s", seed, i, draw(boxes))
				used[b.parent] += b.end - b.start
			}
			for j, o := range boxes[:i] {
				apart := o.parent != b.parent || o.end <= b.start || b.end <= o.start
				require.True(t, apart, "seed %d: %d and %d overlap", seed, j, i)
				if o.parent == b.parent && shift == 0 && o.total != b.total {
					require.Equal(t, o.total > b.total, o.start < b.start || o.start == b.start && o.end > b.end, "seed %d: order of %d and %d", seed, j, i)
				}
			}
		}
		for i, b := range boxes {
			if shift == 0 {
				require.Equal(t, max(b.total, used[i]), b.end-b.start, "seed %d: length of %d", seed, i)
			}
		}
	}
}

func TestLayOutFitsTheCalendar(t *testing.T) {
	boxes := []box{{parent: -1, total: 1}, {total: math.MaxUint64}, {total: math.MaxUint64}}
	shift := layOut(boxes, time.Now().UnixNano())
	require.Positive(t, shift)
	require.Less(t, boxes[0].end, uint64(math.MaxInt64))
	layOut(boxes, math.MaxInt64) // a window that begins too late to be shown
	require.LessOrEqual(t, boxes[0].end, uint64(time.Second))
}

// TestPicture is the whole on one page: what a tracing backend draws of a small profile.
func TestPicture(t *testing.T) {
	a, err := core.New(core.Config{Name: "shop"})
	require.NoError(t, err)
	type span struct {
		name   string
		start  int64
		length int64
		below  []span
	}
	trace := byte(0)
	var record func(s span, parent core.SpanID)
	record = func(s span, parent core.SpanID) {
		o := &core.Opening{Trace: core.TraceID{trace}, Parent: parent}
		a.Open(o)
		for _, b := range s.below {
			record(b, o.Span)
		}
		track, name, _ := strings.Cut(s.name, "/")
		a.Close(&core.Closing{Trace: o.Trace, Span: o.Span, Label: a.Label(core.Site{Track: track, Name: name}),
			Start: s.start, Duration: s.length, Failed: name == "charge"})
	}
	for _, s := range []span{
		{"http/GET", 0, 100, []span{{"sql/select", 10, 30, nil}, {"http/render", 50, 40, nil}}},
		{"http/POST", 0, 50, []span{{"sql/insert", 0, 40, nil}, {"bank/charge", 0, 45, nil}}},
		{"jobs/sweep", 0, 20, nil},
	} {
		trace++
		record(s, core.SpanID{})
	}
	s := a.Snapshot()
	s.Start, s.End = time.Unix(100, 0), time.Unix(100, 200)
	spans, _ := encodeWindow(&window{profile: s}, core.TraceID{1}, 1)
	slices.SortStableFunc(spans, func(x, y *tracepb.Span) int { return cmp.Compare(x.StartTimeUnixNano, y.StartTimeUnixNano) })
	var b strings.Builder
	var drawBelow func(depth int, parent []byte)
	drawBelow = func(depth int, parent []byte) {
		for _, x := range spans {
			if bytes.Equal(x.ParentSpanId, parent) {
				fmt.Fprintf(&b, "%s%s %d-%d %v\n", strings.Repeat("  ", depth), x.Name, x.StartTimeUnixNano-100e9, x.EndTimeUnixNano-100e9, x.GetStatus().GetCode())
				drawBelow(depth+1, x.SpanId)
			}
		}
	}
	drawBelow(0, nil)
	require.Equal(t, strings.TrimPrefix(`
profile 0-205 STATUS_CODE_ERROR
  http 0-185 STATUS_CODE_UNSET
    GET 0-100 STATUS_CODE_UNSET
      render 0-40 STATUS_CODE_UNSET
      select 40-70 STATUS_CODE_UNSET
    POST 100-185 STATUS_CODE_UNSET
      charge 100-145 STATUS_CODE_ERROR
      insert 145-185 STATUS_CODE_UNSET
  jobs 185-205 STATUS_CODE_UNSET
    sweep 185-205 STATUS_CODE_UNSET
`, "\n"), b.String())
}
