package core

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// requireGolden compares with a committed file.
func requireGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, got, "%s differs; run the test with -update if that is intended", file)
}

func encodeBinary(t testing.TB, s *Snapshot) []byte {
	t.Helper()
	b, err := s.MarshalBinary()
	require.NoError(t, err)
	return b
}

// goldenSnapshot is small and has a bit of everything.
func goldenSnapshot() *Snapshot {
	p := &naive{
		name: "shop", from: 1, to: 61, disabled: []string{"sql"},
		counters: Counters{Spans: 7, OverflowSites: 1, Panics: 1<<53 + 1},
		events:   randomEvents(newRand(1), randomSites(newRand(3), 3), 6, 50),
		active:   []event{{path: []Site{{Track: "http", Name: "GET /", Kind: KindServer}}}},
	}
	return p.snapshot()
}

func TestBinaryGolden(t *testing.T) {
	got := encodeBinary(t, goldenSnapshot())
	requireGolden(t, "snapshot.bin", got)
	require.Equal(t, "\x0a\x11otelprof.snapshot", string(got[:19]), "the documented identification")
}

// goldenSelfTimes is goldenSnapshot with histograms of self times.
func goldenSelfTimes() *Snapshot {
	s := *goldenSnapshot()
	add := func(stats *Stats) {
		if stats.Count > 0 {
			h := NewHistogram(1, []Bucket{{Index: int32(bucketOf(stats.Max)) - 1, Count: stats.Count - 1}})
			if stats.Count == 1 {
				h = NewHistogram(1, nil)
			}
			stats.SelfHistogram = &h
		}
	}
	for i := range s.Blocks {
		add(&s.Blocks[i].Stats)
	}
	for i := range s.Nodes {
		add(&s.Nodes[i].Stats)
	}
	return &s
}

// What was written before there were histograms of self times is read, and written as then: see TestBinaryGolden.
func TestGoldenSelfTimes(t *testing.T) {
	want := goldenSelfTimes()
	data := encodeBinary(t, want)
	requireGolden(t, "snapshot_self.bin", data)
	got, err := Decode(bytes.NewReader(data), DecodeLimits{})
	require.NoError(t, err)
	requireSame(t, want, got)
	text, err := want.MarshalJSON()
	require.NoError(t, err)
	require.Contains(t, string(text), `"self_histogram":{"zero_count":"1","bucket_indexes":[`)

	old, err := os.ReadFile("testdata/snapshot.bin")
	require.NoError(t, err)
	got, err = Decode(bytes.NewReader(old), DecodeLimits{})
	require.NoError(t, err)
	requireSame(t, goldenSnapshot(), got)
	require.Zero(t, got.Blocks[0].Stats.SelfQuantile(0.5), "nothing is known")
}

func TestBinaryRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		want := randomSnapshot(newRand(seed), 40)
		data := encodeBinary(t, want)
		got, err := Decode(iotest.OneByteReader(bytes.NewReader(data)), DecodeLimits{})
		require.NoError(t, err)
		checkInvariants(t, got)
		requireSame(t, want, got)
		require.Equal(t, data, encodeBinary(t, got))

		var into Snapshot
		require.NoError(t, into.UnmarshalBinary(data))
		clear(data) // must not be kept
		requireSame(t, want, &into)
	}
}

func TestBinaryOfEmptyAndExtremeSnapshots(t *testing.T) {
	stats := Stats{
		Count: math.MaxUint64, Errors: math.MaxUint64, Total: math.MaxUint64, Self: math.MaxUint64, Max: math.MaxUint64,
		SumSquares: Uint128{math.MaxUint64, math.MaxUint64}, Bytes: math.MaxUint64, Active: math.MaxInt64,
		First: math.MinInt64, Last: math.MaxInt64,
		Slowest:   Exemplar{Span: SpanID{1}, Duration: math.MaxUint64, Time: math.MinInt64},
		Histogram: Histogram{Zero: 1, sparse: []Bucket{{minBucket, 1}, {maxBucket, math.MaxUint64}}},
	}
	for name, s := range map[string]*Snapshot{
		"empty": {},
		"epoch": {Start: time.Unix(0, 0).UTC(), End: time.Unix(0, 0).UTC()},
		"limits": {
			Start: earliestMoment.UTC(), End: latestMoment.UTC(),
			Blocks: []Block{{Site: Site{Kind: 255, Line: math.MaxInt32}, Stats: stats}},
			Nodes:  []Node{{Parent: -1, Stats: stats}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(bytes.NewReader(encodeBinary(t, s)), DecodeLimits{})
			require.NoError(t, err)
			requireSame(t, s, got)
			text, err := s.MarshalJSON()
			require.NoError(t, err)
			got, err = DecodeJSON(bytes.NewReader(text), DecodeLimits{})
			require.NoError(t, err)
			requireSame(t, s, got)
		})
	}
}

func TestBinaryIsCompact(t *testing.T) {
	s := randomSnapshot(newRand(1), 400)
	text, err := s.MarshalJSON()
	require.NoError(t, err)
	require.Less(t, 4*len(encodeBinary(t, s)), len(text))
}

func TestDecodeRefusesEveryTruncation(t *testing.T) {
	data := encodeBinary(t, goldenSnapshot())
	for n := range data {
		_, err := Decode(bytes.NewReader(data[:n]), DecodeLimits{})
		require.Error(t, err, "cut at %d of %d", n, len(data))
	}
}

// head is the begin of a valid message.
func head() []byte {
	return appendSint(appendUint(appendBytes(nil, 1, format), 2, formatVersion), 3, Scale)
}

// message is a whole one with the given fields.
func message(fields ...[]byte) []byte {
	return appendUint(slices.Concat(append([][]byte{head()}, fields...)...), 12, 1)
}

// statsMessage is the field of the statistics of one observation of 1 ns, and of more fields.
func statsMessage(field int, more ...[]byte) []byte {
	m := []byte{}
	for _, number := range []int{1, 3, 5, 6, 8} {
		m = appendUint(m, number, 1)
	}
	m = appendBytes(m, 16, []byte{1})
	m = appendBytes(m, 17, []byte{1})
	return appendBytes(nil, field, append(m, slices.Concat(more...)...))
}

func TestDecodeSkipsWhatItDoesNotKnow(t *testing.T) {
	unknown := appendUint(nil, 1000, 1)
	unknown = appendFixed64(unknown, 1001, 1)
	unknown = appendBytes(unknown, 1002, "new")
	unknown = append(appendTag(unknown, 1003, wireFixed32), 1, 2, 3, 4)

	counters := appendBytes(nil, 8, slices.Concat(appendUint(nil, 1, 3), unknown))
	exemplar := appendBytes(nil, 13, slices.Concat(appendBytes(nil, 2, "\x01\x02\x03\x04\x05\x06\x07\x08"), unknown))
	block := appendElement(nil, 10, slices.Concat(appendUint(nil, 1, 1), unknown, statsMessage(8, unknown, exemplar)))
	node := appendElement(nil, 11, slices.Concat(unknown, statsMessage(3)))
	texts := appendElement(nil, 9, "http")

	want := &Snapshot{Counters: Counters{Spans: 3}}
	stats := Stats{Count: 1, Total: 1, Min: 1, Max: 1, SumSquares: Uint128{0, 1}, Histogram: histogramOf(1)}
	slow := stats
	slow.Slowest.Span = SpanID{1, 2, 3, 4, 5, 6, 7, 8}
	want.Blocks = []Block{{Site: Site{Track: "http"}, Stats: slow}}
	want.Nodes = []Node{{Parent: -1, Stats: stats}}
	for name, data := range map[string][]byte{
		"unknown fields":       message(unknown, counters, texts, block, node),
		"another order":        message(node, block, texts, counters),
		"a repeated statistic": message(counters, texts, block, appendElement(nil, 11, slices.Concat(statsMessage(3, appendUint(nil, 9, 9)), statsMessage(3)))),
		"unpacked buckets": message(counters, texts, block, appendElement(nil, 11, appendBytes(nil, 3, slices.Concat(
			appendUint(nil, 17, 1), appendUint(nil, 16, 1), appendUint(nil, 8, 1), appendUint(nil, 6, 1),
			appendUint(nil, 5, 1), appendUint(nil, 3, 1), appendUint(nil, 1, 1))))),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(bytes.NewReader(data), DecodeLimits{})
			require.NoError(t, err)
			requireSame(t, want, got)
		})
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	varint := func(field int, v uint64) []byte {
		return binary.AppendUvarint(appendTag(nil, field, wireVarint), v)
	}
	block := func(fields ...[]byte) []byte { return appendElement(nil, 10, slices.Concat(fields...)) }
	node := func(fields ...[]byte) []byte { return appendElement(nil, 11, slices.Concat(fields...)) }
	one := head()
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                 {nil, "not an otelprof snapshot"},
		"something else":        {[]byte(`{"format":"otelprof.snapshot"}`), "not an otelprof snapshot"},
		"gzip":                  {[]byte{0x1f, 0x8b, 8, 0}, "compressed with gzip"},
		"concatenated":          {append(message(), message()...), "several snapshots"},
		"version":               {appendUint(appendBytes(nil, 1, format), 2, 2), "version is 2, want 1"},
		"scale":                 {appendUint(appendUint(appendBytes(nil, 1, format), 2, 1), 12, 1), "scale of the histograms is 0, want 6"},
		"incomplete":            {one, "truncated"},
		"field 0":               {message([]byte{0, 0}), "number 0"},
		"field beyond 2^29":     {message(binary.AppendUvarint(nil, 1<<40)), "field tag"},
		"group":                 {message([]byte{0x0b, 0x0c}), "wire type 3 is not supported"},
		"wire type 7":           {message([]byte{0x0f}), "wire type 7 is not supported"},
		"wrong wire type":       {message(appendUint(nil, 6, 1)), "field 6: wire type 0, want 2"},
		"wrong nested type":     {message(varint(8, 1)), "field 8: wire type 0, want 2"},
		"wrong moment type":     {message(varint(4, 1)), "field 4: wire type 0, want 1"},
		"wrong number type":     {message(appendBytes(nil, 2, "x")), "field 2: wire type 2, want 0"},
		"long varint":           {message(bytes.Repeat([]byte{0xff}, 11)), "more than 64 bits"},
		"length of 2^62":        {message(binary.AppendUvarint(appendTag(nil, 6, wireBytes), 1<<62)), "truncated"},
		"cut fixed64":           {append(one, appendTag(nil, 99, wireFixed64)...), "field 99: truncated"},
		"cut fixed32":           {append(one, appendTag(nil, 99, wireFixed32)...), "field 99: truncated"},
		"version of 64 bits":    {message(varint(2, math.MaxUint64)), "field 2"},
		"names not ascending":   {message(appendBytes(nil, 6, "b"), appendBytes(nil, 6, "a")), `names: "a" is a duplicate or out of order`},
		"names not UTF-8":       {message(appendBytes(nil, 6, "\xff")), `names: "\xff" is not valid UTF-8`},
		"tracks twice":          {message(appendBytes(nil, 7, "a"), appendBytes(nil, 7, "a")), "disabled tracks"},
		"string index":          {message(block(varint(1, 1))), "block 0: index of a string: field 1: 1 is more than 0"},
		"site not UTF-8":        {message(appendBytes(nil, 9, "\xff"), block(varint(2, 1))), "not valid UTF-8"},
		"kind":                  {message(block(varint(6, 256))), "256 is more than 255"},
		"line":                  {message(block(varint(5, 1<<31))), "block 0: field 5"},
		"duplicate site":        {message(block(), block()), "block 1 (\"/\") is a duplicate or out of order"},
		"no such block":         {message(node()), "node 0: there is no block 0"},
		"block of 2^31":         {message(node(varint(2, 1<<31))), "node 0: field 2"},
		"parent of the root":    {message(block(), node(varint(1, 1))), "node 0: field 1: 1 is more than 0"},
		"duplicate sibling":     {message(block(), node(), node()), "node 1: a duplicate of its sibling 0"},
		"not depth-first":       {message(block(), appendBytes(nil, 9, "a"), block(varint(1, 1)), node(), node(varint(2, 1)), node(varint(1, 2))), "node 2: parent 0 is not on the path"},
		"node without count":    {message(block(statsMessage(8)), node()), "1 observations, but 0 in its nodes and 0 pending"},
		"pending too many":      {message(block(varint(7, 2), statsMessage(8)), node(statsMessage(3))), "1 in its nodes and 1 pending"},
		"pending negative":      {message(block(varint(7, 1), statsMessage(8)), node(statsMessage(3))), "1 in its nodes and -1 pending"},
		"empty bucket":          {message(block(appendBytes(nil, 8, slices.Concat(appendBytes(nil, 16, []byte{1}), appendBytes(nil, 17, []byte{0}))))), "bucket -1 is empty"},
		"step of 0":             {message(block(appendBytes(nil, 8, appendBytes(nil, 16, []byte{0})))), "histogram: step of 0"},
		"step beyond":           {message(block(appendBytes(nil, 8, varint(16, 4098)))), "histogram: step of 4098"},
		"counts missing":        {message(block(appendBytes(nil, 8, varint(16, 1)))), "histogram: 1 buckets, but 0 counts"},
		"too many counts":       {message(block(appendBytes(nil, 8, appendBytes(nil, 17, make([]byte, 5000))))), "more counts than there can be buckets"},
		"cut step":              {message(block(appendBytes(nil, 8, appendBytes(nil, 16, []byte{0x80})))), "field 16: truncated"},
		"steps of fixed size":   {message(block(appendBytes(nil, 8, appendFixed64(nil, 16, 1)))), "field 16: wire type 1, want 2"},
		"count":                 {message(block(statsMessage(8, varint(1, 2))), node(statsMessage(3))), "2 observations, but 1 in the histogram"},
		"errors":                {message(block(statsMessage(8, varint(2, 2)))), "2 errors in 1 observations"},
		"self":                  {message(block(statsMessage(8, varint(4, 2)))), "self time 2 ns exceeds the total of 1 ns"},
		"active":                {message(block(statsMessage(8, varint(10, math.MaxUint64)))), "-1 active"},
		"min and max":           {message(block(statsMessage(8, varint(5, 2)))), "durations of 2 to 1 ns are not those in the histogram"},
		"total":                 {message(block(statsMessage(8, varint(3, 2)))), "a total of 2 ns in 1 observations of 1 to 1 ns"},
		"first":                 {message(block(statsMessage(8, appendFixed64(nil, 11, 9)))), "the earliest start is after the latest end"},
		"total of nothing":      {message(block(appendBytes(nil, 8, varint(3, 1)))), "statistics of no observation"},
		"exemplar id":           {message(block(appendBytes(nil, 8, appendBytes(nil, 13, appendBytes(nil, 1, "short"))))), "exemplar: an id of 5 bytes, want 16"},
		"exemplar without ids":  {message(block(appendBytes(nil, 8, appendBytes(nil, 14, varint(3, 1))))), "exemplar without a trace and span id"},
		"statistics of a node":  {message(block(), node(statsMessage(3, varint(2, 2)))), `node 0 ("/"): 2 errors in 1 observations`},
		"self times":            {message(block(statsMessage(8, appendBytes(nil, 20, slices.Concat(varint(1, 2)))))), "1 observations, but 2 self times"},
		"no self times":         {message(block(statsMessage(8, appendElement(nil, 20, "")))), "1 observations, but 0 self times"},
		"self time too long":    {message(block(statsMessage(8, appendBytes(nil, 20, slices.Concat(varint(2, 9), varint(3, 1)))))), "a self time in bucket 7, but no duration above 1 ns"},
		"self times' counts":    {message(block(statsMessage(8, appendBytes(nil, 20, varint(2, 1))))), "histogram: 1 buckets, but 0 counts"},
		"self times' bucket":    {message(block(statsMessage(8, appendBytes(nil, 20, slices.Concat(varint(2, 1), varint(3, 0)))))), "self times: histogram: bucket -1 is empty"},
		"self times' type":      {message(block(appendBytes(nil, 8, varint(20, 1)))), "field 20: wire type 0, want 2"},
		"self times of nothing": {message(block(appendBytes(nil, 8, appendBytes(nil, 20, varint(1, 1))))), "0 observations, but 1 self times"},
		"exemplar's type":       {message(block(appendBytes(nil, 8, varint(14, 1)))), "field 14: wire type 0, want 2"},
		"counter":               {message(appendBytes(nil, 8, appendBytes(nil, 1, "x"))), "field 1: wire type 2, want 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(bytes.NewReader(test.data), DecodeLimits{})
			require.ErrorContains(t, err, test.want)
			require.True(t, strings.HasPrefix(err.Error(), "decode snapshot: "), err)
			kept := &Snapshot{Names: []string{"kept"}}
			require.Error(t, kept.UnmarshalBinary(test.data))
			require.Equal(t, []string{"kept"}, kept.Names)
		})
	}
}

func TestDecodeLimits(t *testing.T) {
	p := &naive{name: "shop", to: 1, events: []event{
		{path: []Site{{Name: "a"}, {Name: "long enough"}}, duration: 1},
		{path: []Site{{Name: "a"}}, duration: 1 << 20},
	}}
	s := p.snapshot()
	data := encodeBinary(t, s)
	text, err := s.MarshalJSON()
	require.NoError(t, err)
	for _, test := range []struct {
		name  string
		field func(*DecodeLimits) *int
		exact int // the least that suffices
	}{
		{"MaxText", func(l *DecodeLimits) *int { return &l.MaxText }, len("long enough")},
		{"MaxBlocks", func(l *DecodeLimits) *int { return &l.MaxBlocks }, 2},
		{"MaxNodes", func(l *DecodeLimits) *int { return &l.MaxNodes }, 2},
		{"MaxDepth", func(l *DecodeLimits) *int { return &l.MaxDepth }, 2},
		{"MaxBuckets", func(l *DecodeLimits) *int { return &l.MaxBuckets }, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			var limits DecodeLimits
			*test.field(&limits) = test.exact
			_, err := Decode(bytes.NewReader(data), limits)
			require.NoError(t, err)
			_, err = DecodeJSON(bytes.NewReader(text), limits)
			require.NoError(t, err)
			*test.field(&limits)--
			_, err = Decode(bytes.NewReader(data), limits)
			require.ErrorIs(t, err, ErrDecodeLimit)
			_, err = DecodeJSON(bytes.NewReader(text), limits)
			require.ErrorIs(t, err, ErrDecodeLimit)
		})
	}
	_, err = Decode(bytes.NewReader(data), DecodeLimits{MaxTexts: 2})
	require.ErrorIs(t, err, ErrDecodeLimit)
	for _, decode := range []struct {
		data []byte
		from func(io.Reader, DecodeLimits) (*Snapshot, error)
	}{{data, Decode}, {text, DecodeJSON}} {
		_, err = decode.from(bytes.NewReader(decode.data), DecodeLimits{MaxBytes: int64(len(decode.data))})
		require.NoError(t, err)
		_, err = decode.from(bytes.NewReader(decode.data), DecodeLimits{MaxBytes: int64(len(decode.data)) - 1})
		require.ErrorIs(t, err, ErrDecodeLimit)
		broken := errors.New("the disk is gone")
		_, err = decode.from(iotest.ErrReader(broken), DecodeLimits{})
		require.ErrorIs(t, err, broken)
	}
}

func TestEncodeRefusesWhatIsNotValid(t *testing.T) {
	for name, s := range map[string]*Snapshot{
		"text":  {Names: []string{"\xff"}},
		"line":  {Blocks: []Block{{Site: Site{Line: -1}}}},
		"start": {Start: time.Date(1066, 10, 14, 0, 0, 0, 0, time.UTC)},
		"end":   {End: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"block": {Nodes: []Node{{Parent: -1, Block: -1}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.MarshalBinary()
			require.ErrorContains(t, err, "encode snapshot: ")
			_, err = s.MarshalJSON()
			require.ErrorContains(t, err, "encode snapshot: ")
		})
	}
}

// FuzzDecode checks that no input makes the decoder panic, and that what it takes is valid and has one stable form.
func FuzzDecode(f *testing.F) {
	for seed := range uint64(5) {
		data, err := randomSnapshot(newRand(seed), 3).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	limits := DecodeLimits{MaxBytes: 1 << 16, MaxBlocks: 100, MaxNodes: 100, MaxDepth: 20, MaxBuckets: 1000}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(bytes.NewReader(data), limits)
		if err != nil {
			require.Nil(t, s)
			return
		}
		require.NoError(t, s.Validate())
		again := encodeBinary(t, s)
		decoded, err := Decode(bytes.NewReader(again), limits)
		require.NoError(t, err)
		requireSame(t, s, decoded)
		require.Equal(t, again, encodeBinary(t, decoded))
	})
}

// readSchema returns the part of snapshot.proto from begin to the next closing brace.
func readSchema(t *testing.T, begin string) string {
	t.Helper()
	schema, err := os.ReadFile("snapshot.proto")
	require.NoError(t, err)
	_, part, ok := strings.Cut(string(schema), begin)
	require.True(t, ok)
	part, _, _ = strings.Cut(part, "\n}")
	return part
}
