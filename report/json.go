package report

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// JSONOptions are the options of [JSON].
type JSONOptions struct {
	// Stichotrope writes the keys of Stichotrope's JSON export and no others, for tools that read that.
	Stichotrope bool
	// Indent writes a line per value, indented by two spaces, instead of one line.
	Indent bool
}

// JSON writes everything that is in the snapshot, for programs. The schema has a version; within a version keys
// are added but never removed or given another meaning:
//
//	version          1
//	names            the profilers' names
//	start, end       RFC 3339 in UTC, null in an empty profile; window_ns is the time between
//	disabled_tracks  names of tracks that are switched off
//	counters         what the profiler saw and what its limits did
//	tracks[]         service, name, enabled, stats, and blocks[]: id, name, kind, function, file, line, pending,
//	                 stats, histogram; there is no service where it is empty
//	nodes[]          the call tree in depth-first order: parent (an index in nodes, -1 for a root), block (the id
//	                 of a block), stats
//
// stats are count, errors, error_rate, total_ns, self_ns, critical_ns (not there where it is 0), mean_ns, stddev_ns, min_ns, max_ns, p50_ns, p90_ns,
// p95_ns, p99_ns, p999_ns, self_p50_ns and self_p99_ns (there only where self times are known one by one), bytes, active, first, last (RFC 3339 or null), and slowest and last_error: null or
// trace_id, span_id (both in hex), duration_ns, time, sampled. A histogram has its scale, zero_count and buckets[]:
// index, upper_ns (the largest duration in the bucket) and count.
//
// Arrays are never null, the text is always valid UTF-8. Integers are written with all their digits. A reader that
// keeps numbers as float64, as JavaScript does, rounds those above 2^53 (104 days in nanoseconds) to 53 bits;
// moments, which would be above it, are text for that reason.
//
// With the option Stichotrope the keys are profiler_name and tracks[]: track_idx, track_name, enabled and blocks[]:
// name, file, line, hit_count, total_time_ns, avg_time_ns, min_time_ns, max_time_ns.
func JSON(w io.Writer, s *core.Snapshot, o JSONOptions) error {
	var document any
	if o.Stichotrope {
		document = stichotropeDocument(s)
	} else {
		document = newJSONDocument(s)
	}
	e := json.NewEncoder(w)
	if o.Indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

type jsonDocument struct {
	Version        int           `json:"version"`
	Names          []string      `json:"names"`
	Start          *string       `json:"start"`
	End            *string       `json:"end"`
	WindowNS       int64         `json:"window_ns"`
	DisabledTracks []string      `json:"disabled_tracks"`
	Counters       core.Counters `json:"counters"`
	Tracks         []jsonTrack   `json:"tracks"`
	Nodes          []jsonNode    `json:"nodes"`
}

type jsonTrack struct {
	Service string      `json:"service,omitempty"`
	Name    string      `json:"name"`
	Enabled bool        `json:"enabled"`
	Stats   jsonStats   `json:"stats"`
	Blocks  []jsonBlock `json:"blocks"`
}

type jsonBlock struct {
	ID        int           `json:"id"`
	Name      string        `json:"name"`
	Kind      core.Kind     `json:"kind"`
	Function  string        `json:"function"`
	File      string        `json:"file"`
	Line      int           `json:"line"`
	Pending   int64         `json:"pending"`
	Stats     jsonStats     `json:"stats"`
	Histogram jsonHistogram `json:"histogram"`
}

type jsonNode struct {
	Parent int       `json:"parent"`
	Block  int       `json:"block"`
	Stats  jsonStats `json:"stats"`
}

type jsonStats struct {
	Count     uint64        `json:"count"`
	Errors    uint64        `json:"errors"`
	ErrorRate float64       `json:"error_rate"`
	TotalNS   uint64        `json:"total_ns"`
	SelfNS    uint64        `json:"self_ns"`
	Critical  uint64        `json:"critical_ns,omitempty"`
	MeanNS    float64       `json:"mean_ns"`
	StdDevNS  float64       `json:"stddev_ns"`
	MinNS     uint64        `json:"min_ns"`
	MaxNS     uint64        `json:"max_ns"`
	P50NS     float64       `json:"p50_ns"`
	P90NS     float64       `json:"p90_ns"`
	P95NS     float64       `json:"p95_ns"`
	P99NS     float64       `json:"p99_ns"`
	P999NS    float64       `json:"p999_ns"`
	SelfP50NS *float64      `json:"self_p50_ns,omitempty"`
	SelfP99NS *float64      `json:"self_p99_ns,omitempty"`
	Bytes     uint64        `json:"bytes"`
	Active    int64         `json:"active"`
	First     *string       `json:"first"`
	Last      *string       `json:"last"`
	Slowest   *jsonExemplar `json:"slowest"`
	LastError *jsonExemplar `json:"last_error"`
}

type jsonExemplar struct {
	TraceID    string  `json:"trace_id"`
	SpanID     string  `json:"span_id"`
	DurationNS uint64  `json:"duration_ns"`
	Time       *string `json:"time"`
	Sampled    bool    `json:"sampled"`
}

type jsonHistogram struct {
	Scale     int          `json:"scale"`
	ZeroCount uint64       `json:"zero_count"`
	Buckets   []jsonBucket `json:"buckets"`
}

type jsonBucket struct {
	Index   int32  `json:"index"`
	UpperNS uint64 `json:"upper_ns"`
	Count   uint64 `json:"count"`
}

func newJSONDocument(s *core.Snapshot) jsonDocument {
	d := jsonDocument{
		Version: 1, Names: append([]string{}, s.Names...), DisabledTracks: append([]string{}, s.DisabledTracks...),
		WindowNS: int64(s.Window()), Counters: s.Counters, Tracks: []jsonTrack{}, Nodes: make([]jsonNode, len(s.Nodes)),
	}
	if !s.Start.IsZero() {
		d.Start, d.End = jsonMoment(s.Start), jsonMoment(s.End)
	}
	id := 0
	for _, t := range s.Tracks() {
		track := jsonTrack{Service: t.Service, Name: t.Name, Enabled: t.Enabled, Stats: newJSONStats(&t.Stats), Blocks: []jsonBlock{}}
		for i := range t.Blocks {
			track.Blocks = append(track.Blocks, newJSONBlock(id, &t.Blocks[i]))
			id++
		}
		d.Tracks = append(d.Tracks, track)
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		d.Nodes[i] = jsonNode{Parent: n.Parent, Block: n.Block, Stats: newJSONStats(&n.Stats)}
	}
	return d
}

func newJSONBlock(id int, b *core.Block) jsonBlock {
	h := jsonHistogram{Scale: core.Scale, ZeroCount: b.Stats.Histogram.Zero, Buckets: []jsonBucket{}}
	for k := range b.Stats.Histogram.All {
		h.Buckets = append(h.Buckets, jsonBucket{Index: k.Index, UpperNS: core.BucketUpper(int(k.Index)), Count: k.Count})
	}
	return jsonBlock{
		ID: id, Name: b.Site.Name, Kind: b.Site.Kind, Function: b.Site.Function, File: b.Site.File, Line: b.Site.Line,
		Pending: b.Pending, Stats: newJSONStats(&b.Stats), Histogram: h,
	}
}

func newJSONStats(s *core.Stats) jsonStats {
	j := jsonStats{
		Count: s.Count, Errors: s.Errors, ErrorRate: s.ErrorRate(), TotalNS: s.Total, SelfNS: s.Self,
		Critical: s.Critical,
		MeanNS:   s.Mean(), StdDevNS: s.StdDev(), MinNS: s.Min, MaxNS: s.Max,
		P50NS: s.Quantile(0.5), P90NS: s.Quantile(0.9), P95NS: s.Quantile(0.95), P99NS: s.Quantile(0.99),
		P999NS: s.Quantile(0.999), Bytes: s.Bytes, Active: s.Active,
		Slowest: newJSONExemplar(s.Slowest), LastError: newJSONExemplar(s.LastError),
	}
	if s.SelfHistogram != nil {
		j.SelfP50NS, j.SelfP99NS = new(s.SelfQuantile(0.5)), new(s.SelfQuantile(0.99))
	}
	if s.Count > 0 {
		j.First, j.Last = jsonMoment(time.Unix(0, s.First)), jsonMoment(time.Unix(0, s.Last))
	}
	return j
}

func newJSONExemplar(e core.Exemplar) *jsonExemplar {
	if e.IsZero() {
		return nil
	}
	return &jsonExemplar{
		TraceID: hex.EncodeToString(e.Trace[:]), SpanID: hex.EncodeToString(e.Span[:]),
		DurationNS: e.Duration, Time: jsonMoment(time.Unix(0, e.Time)), Sampled: e.Sampled,
	}
}

// jsonMoment formats by hand, because time.Time fails to marshal a year above 9999.
func jsonMoment(t time.Time) *string {
	text := t.UTC().Format(time.RFC3339Nano)
	return &text
}
