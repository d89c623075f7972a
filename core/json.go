package core

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// The JSON form of a snapshot has the content of the binary form under the names of snapshot.proto, with sites and ids
// spelled out. Numbers of 64 bits and more are strings of decimal digits, as in OTLP/JSON, since JavaScript would round
// them; the decoder takes numbers too. Lists are never null.

// jsonHead is what stands before the blocks.
type jsonHead struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Scale is that of the histograms, see [Scale].
	Scale          int                `json:"scale"`
	Start          time.Time          `json:"start,omitzero"`
	End            time.Time          `json:"end,omitzero"`
	Names          []string           `json:"names"`
	DisabledTracks []string           `json:"disabled_tracks"`
	Counters       map[string]decimal `json:"counters"`
}

type jsonSnapshot struct {
	jsonHead
	Blocks []jsonBlock `json:"blocks"`
	Nodes  []jsonNode  `json:"nodes"`
}

type jsonBlock struct {
	Site    Site          `json:"site"`
	Pending signedDecimal `json:"pending"`
	Stats   jsonStats     `json:"stats"`
}

type jsonNode struct {
	// Parent is the index of the parent in the nodes, -1 for a root.
	Parent int       `json:"parent"`
	Block  int       `json:"block"`
	Stats  jsonStats `json:"stats"`
}

type jsonStats struct {
	Count      decimal       `json:"count"`
	Errors     decimal       `json:"errors"`
	Total      decimal       `json:"total"`
	Self       decimal       `json:"self"`
	Critical   decimal       `json:"critical,omitzero"`
	Unsampled  decimal       `json:"unsampled_1024ths,omitzero"`
	Min        decimal       `json:"min"`
	Max        decimal       `json:"max"`
	SumSquares Uint128       `json:"sum_squares"`
	Bytes      decimal       `json:"bytes"`
	Active     signedDecimal `json:"active"`
	First      signedDecimal `json:"first_unix_nano"`
	Last       signedDecimal `json:"last_unix_nano"`
	Slowest    jsonExemplar  `json:"slowest,omitzero"`
	LastError  jsonExemplar  `json:"last_error,omitzero"`
	jsonHistogram
	// SelfHistogram is absent where self times are not known one by one.
	SelfHistogram *jsonHistogram `json:"self_histogram,omitempty"`
}

type jsonHistogram struct {
	ZeroCount    decimal   `json:"zero_count"`
	BucketIndex  []int32   `json:"bucket_indexes"`
	BucketCounts []decimal `json:"bucket_counts"`
}

type jsonExemplar struct {
	Trace    TraceID       `json:"trace_id"`
	Span     SpanID        `json:"span_id"`
	Duration decimal       `json:"duration"`
	Time     signedDecimal `json:"end_unix_nano"`
	Sampled  bool          `json:"sampled"`
}

// decimal and signedDecimal are 64-bit numbers in JSON.
type (
	decimal       uint64
	signedDecimal int64
)

// MarshalText writes the digits, which encoding/json quotes.
func (d decimal) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(d), 10), nil }

// UnmarshalJSON reads a string or a number.
func (d *decimal) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseUint(unquote(text), 10, 64)
	*d = decimal(v)
	return err
}

// MarshalText writes the digits, which encoding/json quotes.
func (d signedDecimal) MarshalText() ([]byte, error) {
	return strconv.AppendInt(nil, int64(d), 10), nil
}

// UnmarshalJSON reads a string or a number.
func (d *signedDecimal) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseInt(unquote(text), 10, 64)
	*d = signedDecimal(v)
	return err
}

func unquote(text []byte) string {
	if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
		text = text[1 : n-1]
	}
	return string(text)
}

// MarshalJSON writes the snapshot in full: what [DecodeJSON] returns for it is equal to it. The error says what is
// not valid in the snapshot, see [Snapshot.Validate].
func (s *Snapshot) MarshalJSON() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	out := jsonSnapshot{
		jsonHead: jsonHead{
			Format: format, Version: formatVersion, Scale: Scale,
			Start: plainTime(s.Start), End: plainTime(s.End),
			Names: notNil(s.Names), DisabledTracks: notNil(s.DisabledTracks),
			Counters: make(map[string]decimal),
		},
		Blocks: make([]jsonBlock, len(s.Blocks)),
		Nodes:  make([]jsonNode, len(s.Nodes)),
	}
	for name, n := range s.Counters.named() {
		out.Counters[name] = decimal(*n)
	}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		out.Blocks[i] = jsonBlock{b.Site, signedDecimal(b.Pending), toJSON(&b.Stats)}
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		out.Nodes[i] = jsonNode{n.Parent, n.Block, toJSON(&n.Stats)}
	}
	return json.Marshal(out)
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// named returns the counters by their names in JSON.
func (c *Counters) named() map[string]*uint64 {
	fields := reflect.TypeFor[Counters]()
	byName := make(map[string]*uint64)
	i := 0
	c.each(&Counters{}, func(n *uint64, _ uint64) {
		byName[fields.Field(i).Tag.Get("json")] = n
		i++
	})
	return byName
}

func toJSON(s *Stats) jsonStats {
	out := jsonStats{
		Count: decimal(s.Count), Errors: decimal(s.Errors),
		Total: decimal(s.Total), Self: decimal(s.Self), Critical: decimal(s.Critical), Unsampled: decimal(s.Unsampled),
		Min: decimal(s.Min), Max: decimal(s.Max),
		SumSquares: s.SumSquares, Bytes: decimal(s.Bytes), Active: signedDecimal(s.Active),
		First: signedDecimal(s.First), Last: signedDecimal(s.Last),
		Slowest: exemplarToJSON(s.Slowest), LastError: exemplarToJSON(s.LastError),
		jsonHistogram: histogramToJSON(&s.Histogram),
	}
	if s.SelfHistogram != nil {
		out.SelfHistogram = new(histogramToJSON(s.SelfHistogram))
	}
	return out
}

func histogramToJSON(h *Histogram) jsonHistogram {
	buckets := h.Buckets()
	out := jsonHistogram{
		ZeroCount:    decimal(h.Zero),
		BucketIndex:  make([]int32, len(buckets)),
		BucketCounts: make([]decimal, len(buckets)),
	}
	for i, b := range buckets {
		out.BucketIndex[i], out.BucketCounts[i] = b.Index, decimal(b.Count)
	}
	return out
}

func exemplarToJSON(e Exemplar) jsonExemplar {
	return jsonExemplar{e.Trace, e.Span, decimal(e.Duration), signedDecimal(e.Time), e.Sampled}
}
