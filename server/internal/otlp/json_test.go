package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const enough = 1 << 20

func fromTraces(t *testing.T, text string) *traces.TracesData {
	t.Helper()
	data, err := TracesFromJSON([]byte(text), enough)
	require.NoError(t, err)
	var m traces.TracesData
	require.NoError(t, proto.Unmarshal(data, &m))
	return &m
}

func TestJSONOfTheCollectorsLibrary(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 3))
		want := random[*traces.TracesData](r, false)
		data, err := proto.Marshal(want)
		require.NoError(t, err)
		// The library gives the messages that it knows, which are not quite those of the latest OTLP.
		request := ptraceotlp.NewExportRequest()
		require.NoError(t, request.UnmarshalProto(data))
		text, err := request.MarshalJSON()
		require.NoError(t, err)
		if data, err = request.MarshalProto(); err != nil {
			require.NoError(t, err)
		}
		got, err := TracesFromJSON(text, enough)
		require.NoError(t, err, "seed %d: %s", seed, text)
		requireSame(t, data, got)
	}
}

func TestMetricsJSONOfTheCollectorsLibrary(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 4))
		data, err := proto.Marshal(random[*metrics.MetricsData](r, false))
		require.NoError(t, err)
		request := pmetricotlp.NewExportRequest()
		require.NoError(t, request.UnmarshalProto(data))
		text, err := request.MarshalJSON()
		require.NoError(t, err)
		data, err = request.MarshalProto()
		require.NoError(t, err)
		got, err := MetricsFromJSON(text, enough)
		require.NoError(t, err, "seed %d: %s", seed, text)
		var a, b metrics.MetricsData
		require.NoError(t, proto.Unmarshal(data, &a))
		require.NoError(t, proto.Unmarshal(got, &b))
		require.True(t, proto.Equal(&a, &b), "seed %d:\n%s\n%s\n%s", seed, text, &a, &b)
	}
}

// Protobuf's own JSON differs in the ids, which it has in base64, and in the enums, which it has by name unless told.
func TestJSONOfProtobuf(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 5))
		want := random[*traces.TracesData](r, false)
		text, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(want)
		require.NoError(t, err)
		got, err := TracesFromJSON(hexIDs(t, text), enough)
		require.NoError(t, err, "seed %d: %s", seed, text)
		var m traces.TracesData
		require.NoError(t, proto.Unmarshal(got, &m))
		require.True(t, proto.Equal(want, &m), "seed %d:\n%s\n%s", seed, want, &m)
	}
}

// hexIDs makes the ids hexadecimal.
func hexIDs(t *testing.T, text []byte) []byte {
	out := string(text)
	for _, name := range []string{`"traceId":`, `"spanId":`, `"parentSpanId":`} {
		parts := strings.Split(out, name)
		for i := 1; i < len(parts); i++ {
			before, after, _ := strings.Cut(strings.TrimLeft(parts[i], " ")[1:], `"`)
			id, err := base64.StdEncoding.DecodeString(before)
			require.NoError(t, err)
			parts[i] = `"` + hex.EncodeToString(id) + `"` + after
		}
		out = strings.Join(parts, name)
	}
	return []byte(out)
}

func TestJSONForms(t *testing.T) {
	inSpan := func(fields string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + fields + `}]}]}]}`
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                       {`{}`, ``},
		"null":                          {`{"resourceSpans":null}`, ``},
		"white space":                   {" \n{ \"resourceSpans\" : [ ] }\n", ``},
		"unknown names":                 {inSpan(`"name":"a","new":{"x":[1,{"trace_id":2}]},"other_thing":1`), `name:"a"`},
		"ids in capitals":               {inSpan(`"traceId":"0123456789ABCDEF0123456789abcdef","spanId":"00000000000000Ff"`), `trace_id:"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef" span_id:"\x00\x00\x00\x00\x00\x00\x00\xff"`},
		"a short id":                    {inSpan(`"traceId":"01"`), `trace_id:"\x01"`},
		"times as strings":              {inSpan(`"startTimeUnixNano":"18446744073709551615"`), `start_time_unix_nano:18446744073709551615`},
		"times as numbers":              {inSpan(`"startTimeUnixNano":1760000000000000001`), `start_time_unix_nano:1760000000000000001`},
		"times with an exponent":        {inSpan(`"startTimeUnixNano":1.5e3`), `start_time_unix_nano:1500`},
		"a kind":                        {inSpan(`"kind":3`), `kind:SPAN_KIND_CLIENT`},
		"an escaped name":               {inSpan(`"na\u006de":"\u00e4\ud83d\ude00\n"`), `name:"ä😀\n"`},
		"a name twice":                  {inSpan(`"name":"a","name":"b"`), `name:"b"`},
		"half a surrogate":              {inSpan(`"name":"\ud83d!"`), "name:\"\uFFFD!\""},
		"invalid UTF-8":                 {inSpan("\"name\":\"\xff!\""), "name:\"\uFFFD!\""},
		"an integer as string":          {inSpan(`"attributes":[{"key":"k","value":{"intValue":"-9223372036854775808"}}]`), `attributes:{key:"k" value:{int_value:-9223372036854775808}}`},
		"an integer as number":          {inSpan(`"attributes":[{"key":"k","value":{"intValue":-7}}]`), `attributes:{key:"k" value:{int_value:-7}}`},
		"a value that is not a number":  {inSpan(`"attributes":[{"key":"k","value":{"doubleValue":"NaN"}}]`), `attributes:{key:"k" value:{double_value:nan}}`},
		"a double":                      {inSpan(`"attributes":[{"key":"k","value":{"doubleValue":1e300}}]`), `attributes:{key:"k" value:{double_value:1e300}}`},
		"false":                         {inSpan(`"attributes":[{"key":"k","value":{"boolValue":false}}]`), `attributes:{key:"k" value:{bool_value:false}}`},
		"bytes":                         {inSpan(`"attributes":[{"key":"k","value":{"bytesValue":"+/8="}}]`), `attributes:{key:"k" value:{bytes_value:"\xfb\xff"}}`},
		"bytes for URLs without a tail": {inSpan(`"attributes":[{"key":"k","value":{"bytesValue":"-_8"}}]`), `attributes:{key:"k" value:{bytes_value:"\xfb\xff"}}`},
		"a list":                        {inSpan(`"attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"l","value":{"arrayValue":{"values":[{},{"stringValue":"s"}]}}}]}}}]`), `attributes:{key:"k" value:{kvlist_value:{values:{key:"l" value:{array_value:{values:{} values:{string_value:"s"}}}}}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := fromTraces(t, c.text)
			want := &traces.Span{}
			require.NoError(t, unmarshalText(c.want, want))
			if len(got.ResourceSpans) == 0 {
				require.Empty(t, c.want)
				return
			}
			span := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
			require.Equal(t, want.String(), span.String())
		})
	}
}

func TestJSONThatIsRefused(t *testing.T) {
	nested := func(n int) string {
		return `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, n) + strings.Repeat(`]}}`, n) + `}]}}]}`
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing at all":           {``, "EOF"},
		"a byte order mark":        {"\uFEFF{}", "byte order mark"},
		"protobuf":                 {string(realistic(1)), "invalid character"},
		"text":                     {`hello`, "invalid character"},
		"a list":                   {`[]`, "want the object of a TracesData"},
		"more than one":            {`{}{}`, "more after the JSON value"},
		"cut off":                  {`{"resourceSpans":[`, "EOF"},
		"snake_case":               {`{"resource_spans":[]}`, `"resource_spans": OTLP/JSON has names in lowerCamelCase`},
		"snake_case in a span":     {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"trace_id":"00"}]}]}]}`, `/resourceSpans/0/scopeSpans/0/spans/0/trace_id`},
		"bad hex":                  {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xx"}]}]}]}`, "invalid byte"},
		"half a byte of hex":       {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"012"}]}]}]}`, "odd length"},
		"bad base64":               {`{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"bytesValue":"?"}}]}}]}`, "illegal base64"},
		"a number as name":         {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":1}]}]}]}`, "name: want a string"},
		"a string as span":         {`{"resourceSpans":[{"scopeSpans":[{"spans":["x"]}]}]}`, "want the object of a Span"},
		"an object as list":        {`{"resourceSpans":{}}`, "want a list of resource_spans"},
		"a list as object":         {`{"resourceSpans":[{"resource":[]}]}`, "want the object of a Resource"},
		"null in a list":           {`{"resourceSpans":[null]}`, "want the object of a ResourceSpans"},
		"an enum by name":          {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SPAN_KIND_CLIENT"}]}]}]}`, "kind: want a number"},
		"a negative time":          {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":-1}]}]}]}`, "-1 is out of range"},
		"a time of 2^64":           {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"18446744073709551616"}]}]}]}`, "not an integer"},
		"a fraction":               {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":1.5}]}]}]}`, "not an integer"},
		"an integer of 2^63":       {`{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}]}}]}`, "out of range"},
		"a boolean as string":      {`{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"boolValue":"true"}}]}}]}`, "want true or false"},
		"flags of 33 bits":         {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"flags":4294967296}]}]}]}`, "out of range"},
		"100 000 lists":            {strings.Repeat("[", 100_000), "want the object"},
		"100 000 levels unknown":   {`{"x":` + strings.Repeat("[", 100_000), "depth"},
		"100 000 levels of values": {nested(100_000), "too deep"},
		"1000 levels of values":    {nested(1000), "too deep"},
		"a name without an end":    {`{"resourceSpans`, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := TracesFromJSON([]byte(c.text), enough)
			require.ErrorIs(t, err, ErrMalformed)
			require.ErrorContains(t, err, c.want)
			require.True(t, utf8.ValidString(err.Error()))
			require.Less(t, len(err.Error()), 1000)
		})
	}
	_, err := TracesFromJSON([]byte(nested(64)), enough)
	require.NoError(t, err, "64 levels are within the limit")
}

func TestJSONHasALimit(t *testing.T) {
	text := `{"resourceSpans":[` + strings.Repeat(`{},`, 999) + `{}]}`
	data, err := TracesFromJSON([]byte(text), 2000)
	require.NoError(t, err)
	require.Len(t, data, 2000)
	_, err = TracesFromJSON([]byte(text), 1999)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = MetricsFromJSON([]byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[`+strings.Repeat(`1,`, 999)+`1]}]}}]}]}]}`), 7999)
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestResponses(t *testing.T) {
	require.Empty(t, AppendResponse(nil, Result{}))
	require.Equal(t, "{}", string(AppendResponseJSON(nil, Result{}, "rejectedSpans")))
	for _, r := range []Result{{Rejected: 3, Message: "three \"bad\" spans"}, {Message: "a warning\n"}, {Rejected: 1 << 40}} {
		response := ptraceotlp.NewExportResponse()
		require.NoError(t, response.UnmarshalProto(AppendResponse(nil, r)))
		require.Equal(t, r, Result{Rejected: int(response.PartialSuccess().RejectedSpans()), Message: response.PartialSuccess().ErrorMessage()})
		response = ptraceotlp.NewExportResponse()
		require.NoError(t, response.UnmarshalJSON(AppendResponseJSON(nil, r, "rejectedSpans")))
		require.Equal(t, r, Result{Rejected: int(response.PartialSuccess().RejectedSpans()), Message: response.PartialSuccess().ErrorMessage()})
	}
	require.True(t, jsontext.Value(AppendResponseJSON(nil, Result{Message: "\xff"}, "rejectedSpans")).IsValid())
}
