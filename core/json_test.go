package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJSONGolden(t *testing.T) {
	text, err := json.MarshalIndent(goldenSnapshot(), "", "  ")
	require.NoError(t, err)
	requireGolden(t, "snapshot.json", append(text, '\n'))
	require.NotContains(t, string(text), "null")
}

func TestJSONRoundTrip(t *testing.T) {
	for seed := range uint64(100) {
		want := randomSnapshot(newRand(seed), 30)
		text, err := json.Marshal(want)
		require.NoError(t, err)
		var got Snapshot
		require.NoError(t, json.Unmarshal(text, &got))
		checkInvariants(t, &got)
		requireSame(t, want, &got)
		again, err := json.Marshal(&got)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
	}
}

func TestJSONListsAreNeverNull(t *testing.T) {
	text, err := json.Marshal(&Snapshot{})
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(text, &members))
	for _, name := range []string{"names", "disabled_tracks", "blocks", "nodes"} {
		require.Equal(t, []any{}, members[name], name)
	}
	require.NotContains(t, members, "start", "an empty profile has no window")
}

func TestJSONNumbersSurviveJavaScript(t *testing.T) {
	s := goldenSnapshot()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	// What JavaScript does: every number becomes a float64.
	var rounded any
	require.NoError(t, json.Unmarshal(text, &rounded))
	text, err = json.Marshal(rounded)
	require.NoError(t, err)
	var got Snapshot
	require.NoError(t, json.Unmarshal(text, &got))
	requireSame(t, s, &got)
}

func TestJSONTakesNumbersAndNull(t *testing.T) {
	text := `{"nodes":[], "unknown":{"a":[1,{}]}, "counters":{"spans":7,"evicted":"8","unknown":[]},
		"blocks":[{"site":{"track":"t","name":"n","kind":"server"},"pending":-0,"stats":{"active":3,"bytes":4,"new":null}}],
		"scale":6,"version":1,"format":"otelprof.snapshot"}`
	got := &Snapshot{}
	require.NoError(t, json.Unmarshal([]byte(text), got))
	requireSame(t, &Snapshot{
		Counters: Counters{Spans: 7, Evicted: 8},
		Blocks:   []Block{{Site: Site{Track: "t", Name: "n", Kind: KindServer}, Stats: Stats{Active: 3, Bytes: 4}}},
	}, got)

	require.NoError(t, json.Unmarshal([]byte("null"), got))
	require.Len(t, got.Blocks, 1, "null leaves a value as it is")
	require.NoError(t, got.UnmarshalJSON([]byte("null")))
	require.Len(t, got.Blocks, 1)
}

func TestDecodeJSONNamesWhatIsWrong(t *testing.T) {
	const head = `"format":"otelprof.snapshot","version":1,"scale":6`
	block := func(text string) string { return `{` + head + `,"blocks":[` + text + `]}` }
	for name, test := range map[string]struct{ text, want string }{
		"empty":            {``, "not an otelprof snapshot: unexpected EOF"},
		"binary":           {"\x0a\x11otelprof", "not an otelprof snapshot"},
		"a list":           {`[]`, `not an otelprof snapshot: there is "[" where "{" should be`},
		"format":           {`{"format":"x","version":1,"scale":6}`, `not an otelprof snapshot: format is "x"`},
		"version":          {`{"format":"otelprof.snapshot","version":2,"scale":6}`, "version is 2, want 1"},
		"scale":            {`{"format":"otelprof.snapshot","version":1}`, "scale of the histograms is 0, want 6"},
		"truncated":        {`{` + head, "EOF"},
		"truncated list":   {`{` + head + `,"blocks":[`, "EOF"},
		"a comma":          {`{` + head + `,}`, "invalid character"},
		"more":             {`{` + head + `} {}`, "something after the snapshot"},
		"garbage":          {`{` + head + `} x`, "invalid character"},
		"no list":          {`{` + head + `,"names":null}`, `member "names": there is "<nil>" where "[" should be`},
		"no object":        {`{` + head + `,"counters":[]}`, `member "counters"`},
		"counter":          {`{` + head + `,"counters":{"spans":-1}}`, `member "counters": member "spans"`},
		"names":            {`{` + head + `,"names":[1]}`, `member "names": element 0`},
		"start":            {`{` + head + `,"start":"yesterday"}`, `member "start"`},
		"start range":      {`{` + head + `,"start":"9999-01-01T00:00:00Z"}`, "start: year 9999 is not in 1678 to 2262"},
		"kind":             {block(`{"site":{"kind":"x"}}`), `unknown kind "x"`},
		"count as a word":  {block(`{"stats":{"count":"many"}}`), `"many"`},
		"count too large":  {block(`{"stats":{"count":"18446744073709551616"}}`), "out of range"},
		"fraction":         {block(`{"stats":{"count":1.5}}`), `"1.5"`},
		"active":           {block(`{"stats":{"active":"x"}}`), `"x"`},
		"squares negative": {block(`{"stats":{"sum_squares":"-1"}}`), "not in 0 to 2^128-1"},
		"squares too many": {block(`{"stats":{"sum_squares":"340282366920938463463374607431768211456"}}`), "not in 0 to 2^128-1"},
		"squares too long": {block(`{"stats":{"sum_squares":"` + strings.Repeat("1", 40) + `"}}`), "40 characters"},
		"squares no digit": {block(`{"stats":{"sum_squares":"0x1f"}}`), `"0x1f" is not a decimal number`},
		"trace id":         {block(`{"stats":{"slowest":{"trace_id":"abc"}}}`), "id of 3 characters, want 32 hexadecimal digits"},
		"span id":          {block(`{"stats":{"slowest":{"span_id":"zzzzzzzzzzzzzzzz"}}}`), "invalid byte"},
		"buckets":          {block(`{"stats":{"bucket_indexes":[1]}}`), "element 0: histogram: 1 buckets, but 0 counts"},
		"bucket range":     {block(`{"stats":{"bucket_indexes":[-2],"bucket_counts":[1]}}`), "bucket index -2 is not in -1 to 4095"},
		"bucket order":     {block(`{"stats":{"bucket_indexes":[5,5],"bucket_counts":[1,1]}}`), "bucket 5 is a duplicate or out of order"},
		"self times":       {block(`{"stats":{"self_histogram":{"bucket_indexes":[1]}}}`), "element 0: histogram: 1 buckets, but 0 counts"},
		"no self times":    {block(`{"stats":{"self_histogram":{}}}`), "0 observations, but 0 self times"},
		"line":             {block(`{"site":{"line":-4}}`), "line -4"},
		"parent":           {`{` + head + `,"nodes":[{"parent":0}]}`, "its parent 0 does not stand before it"},
		"parent below -1":  {`{` + head + `,"nodes":[{"parent":-2}]}`, "its parent -2 does not stand before it"},
		"node's buckets":   {`{` + head + `,"nodes":[{"parent":-1,"stats":{"bucket_counts":[1]}}]}`, "0 buckets, but 1 counts"},
		"node's block":     {`{` + head + `,"nodes":[{"parent":-1,"block":3}]}`, "there is no block 3"},
		"node's shape":     {`{` + head + `,"nodes":[3]}`, `member "nodes": element 0`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeJSON(strings.NewReader(test.text), DecodeLimits{})
			require.ErrorContains(t, err, test.want)
			kept := &Snapshot{Names: []string{"kept"}}
			require.Error(t, kept.UnmarshalJSON([]byte(test.text)))
			require.Equal(t, []string{"kept"}, kept.Names)
		})
	}
}

func TestCountersAreInTheOrderOfTheSchema(t *testing.T) {
	var c Counters
	names := c.named()
	require.Len(t, names, 12)
	schema := readSchema(t, "message Counters {")
	field := 0
	c.each(&c, func(n *uint64, _ uint64) {
		field++
		for name, at := range names {
			if at == n {
				require.Contains(t, schema, fmt.Sprintf("uint64 %s = %d;", name, field))
			}
		}
	})
	require.Equal(t, 12, field)
}

// FuzzDecodeJSON checks that no input makes the decoder panic, and that what it takes is valid and has one stable form.
func FuzzDecodeJSON(f *testing.F) {
	for seed := range uint64(5) {
		text, err := randomSnapshot(newRand(seed), 2).MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	limits := DecodeLimits{MaxBytes: 1 << 16, MaxBlocks: 100, MaxNodes: 100, MaxDepth: 20, MaxBuckets: 1000}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := DecodeJSON(bytes.NewReader(text), limits)
		if err != nil {
			require.Nil(t, s)
			return
		}
		require.NoError(t, s.Validate())
		again, err := s.MarshalJSON()
		require.NoError(t, err)
		decoded, err := DecodeJSON(bytes.NewReader(again), DecodeLimits{})
		require.NoError(t, err)
		requireSame(t, s, decoded)
		// Both forms have the same content.
		decoded, err = Decode(bytes.NewReader(encodeBinary(t, s)), DecodeLimits{})
		require.NoError(t, err)
		requireSame(t, s, decoded)
	})
}
