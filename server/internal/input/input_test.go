package input

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
)

// collected is a Collector that keeps what it gets.
type collected struct {
	traces, metrics [][]byte
	snapshots       []*core.Snapshot
}

func (c *collected) Traces(_ context.Context, request []byte) error {
	c.traces = append(c.traces, request)
	return nil
}

func (c *collected) Metrics(_ context.Context, request []byte) error {
	c.metrics = append(c.metrics, request)
	return nil
}

func (c *collected) Snapshot(_ context.Context, s *core.Snapshot) error {
	c.snapshots = append(c.snapshots, s)
	return nil
}

// echo is a Converter that marks what it was given.
type echo struct{}

func (echo) Traces(text []byte) ([]byte, error) {
	if bytes.Contains(text, []byte("bad")) {
		return nil, errors.New("a bad id")
	}
	return fmt.Appendf(nil, "traces of %s", text), nil
}
func (echo) Metrics(text []byte) ([]byte, error) { return fmt.Appendf(nil, "metrics of %s", text), nil }

func read(data []byte, limits Limits) (*collected, error) {
	c := &collected{}
	err := Reader{Convert: echo{}, Limits: limits}.Read(context.Background(), bytes.NewReader(data), c)
	return c, err
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func zstandard(data []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(data, nil)
}

func framed(messages ...[]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(m))), m...)
	}
	return b
}

func marshal(t *testing.T, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

func traceMessage(t *testing.T, name string) []byte {
	return marshal(t, &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{
		{TraceId: bytes.Repeat([]byte{1}, 16), SpanId: bytes.Repeat([]byte{2}, 8), Name: name, StartTimeUnixNano: 5, EndTimeUnixNano: 7},
	}}}}}})
}

func metricMessage(t *testing.T, name string) []byte {
	return marshal(t, &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{ScopeMetrics: []*metricspb.ScopeMetrics{{Metrics: []*metricspb.Metric{
		{Name: name, Description: "d", Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{DataPoints: []*metricspb.NumberDataPoint{{TimeUnixNano: 3}}}}},
	}}}}}})
}

func snapshot(t *testing.T) *core.Snapshot {
	a, err := core.New(core.Config{Name: "saved"})
	require.NoError(t, err)
	a.Record(a.Label(core.Site{Track: "t", Name: "n"}), &core.Observation{Start: time.Now().UnixNano(), Duration: 5})
	return a.Snapshot()
}

func TestReadsEveryFormatAlsoCompressed(t *testing.T) {
	saved := snapshot(t)
	binaryForm, err := saved.MarshalBinary()
	require.NoError(t, err)
	jsonForm, err := saved.MarshalJSON()
	require.NoError(t, err)
	spans, numbers := traceMessage(t, "GET"), metricMessage(t, "exactly16letters")
	for name, test := range map[string]struct {
		data []byte
		want collected
	}{
		"binary snapshot": {binaryForm, collected{snapshots: []*core.Snapshot{saved}}},
		"JSON snapshot":   {append([]byte("\n "), jsonForm...), collected{snapshots: []*core.Snapshot{saved}}},
		"traces":          {spans, collected{traces: [][]byte{spans}}},
		"metrics":         {numbers, collected{metrics: [][]byte{numbers}}},
		"framed":          {framed(spans, nil, numbers, spans), collected{traces: [][]byte{spans, spans}, metrics: [][]byte{numbers}}},
		"framed and compressed": {
			framed(zstandard(spans), gzipped(numbers)), collected{traces: [][]byte{spans}, metrics: [][]byte{numbers}}},
		"lines of JSON": {
			[]byte("{\"resourceSpans\":[]}\n{\"resourceMetrics\": null}\n\n{\"resourceLogs\":[]}\n{\"resourceSpans\":[1]}"),
			collected{
				traces:  [][]byte{[]byte(`traces of {"resourceSpans":[]}`), []byte(`traces of {"resourceSpans":[1]}`)},
				metrics: [][]byte{[]byte(`metrics of {"resourceMetrics": null}`)},
			}},
		"as Jaeger answers": {[]byte(`{"result":{"resourceSpans":[2]}}`), collected{traces: [][]byte{[]byte(`traces of {"resourceSpans":[2]}`)}}},
	} {
		for form, pack := range map[string]func([]byte) []byte{
			"plain": bytes.Clone, "gzip": gzipped, "zstd": zstandard,
			"twice": func(b []byte) []byte { return gzipped(zstandard(b)) },
		} {
			t.Run(name+"/"+form, func(t *testing.T) {
				got, err := read(pack(test.data), Limits{})
				if form == "twice" && name == "framed and compressed" {
					return // once too often, see below
				}
				require.NoError(t, err)
				require.Equal(t, test.want.traces, got.traces)
				require.Equal(t, test.want.metrics, got.metrics)
				require.Len(t, got.snapshots, len(test.want.snapshots))
				for _, s := range got.snapshots {
					encoded, err := s.MarshalBinary()
					require.NoError(t, err)
					require.Equal(t, binaryForm, encoded)
				}
			})
		}
	}
}

func TestSaysWhatIsWrong(t *testing.T) {
	spans := traceMessage(t, strings.Repeat("x", 2000))
	for name, test := range map[string]struct {
		data   []byte
		limits Limits
		want   string
	}{
		"empty":                {nil, Limits{}, "empty"},
		"text":                 {[]byte("hello"), Limits{}, "neither OTLP"},
		"other JSON":           {[]byte(`{"a":1}`), Limits{}, "document 1: this is neither"},
		"second document":      {[]byte("{\"resourceSpans\":[]}\n{\"resourceSpans\":\"bad\"}"), Limits{}, "document 2: a bad id"},
		"cut JSON":             {[]byte(`{"resourceSpans":[`), Limits{}, "document 1: unexpected EOF"},
		"cut frame":            {framed(spans)[:100], Limits{}, "message 1: unexpected EOF"},
		"huge frame":           {[]byte{0, 255, 255, 255, 1}, Limits{MaxMessage: 1000}, "message 1 has 16777215 bytes, more than 1000"},
		"huge message":         {spans, Limits{MaxMessage: 1000}, "more than 1000 bytes"},
		"huge document":        {[]byte(`{"resourceSpans":"` + strings.Repeat("x", 70_000) + `"}`), Limits{MaxMessage: 1000}, "more than 1000 bytes"},
		"bomb":                 {gzipped(append(bytes.Clone(spans), make([]byte, 1<<20)...)), Limits{MaxMessage: 100_000}, "more than 100000 bytes"},
		"compressed too often": {gzipped(gzipped(gzipped(gzipped(spans)))), Limits{}, "too many times"},
		"damaged gzip":         {gzipped(spans)[:40], Limits{}, "unexpected EOF"},
		"damaged snapshot":     {append(bytes.Clone(magicSnapshot), 0xff), Limits{}, "snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(test.data, test.limits)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"resourceSpans\":[]}\n{}"))
	f.Add(framed([]byte("\x0a\x00"), gzipped([]byte("{}"))))
	f.Add(zstandard(magicSnapshot))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = read(data, Limits{MaxMessage: 1 << 16})
	})
}
