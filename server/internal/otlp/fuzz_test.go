package otlp

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp/otlptest"
)

// seeds adds requests of all kinds, beside those in testdata.
func seeds(f *testing.F, add func(request []byte)) {
	add(realistic(2))
	for _, request := range otlptest.Malformed(realistic(1)) {
		if len(request) < 1000 {
			add(request)
		}
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 8))
		request, err := proto.Marshal(random[*traces.TracesData](r, true))
		require.NoError(f, err)
		add(shuffle(r, request, tracesData))
	}
}

// What can be walked and read by the official library says the same to both.
func FuzzWalk(f *testing.F) {
	seeds(f, func(request []byte) { f.Add(request) })
	f.Fuzz(func(t *testing.T, request []byte) {
		all, err := walk(request)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		var texts Texts
		for _, s := range all {
			texts.Span(s.Raw, func(_, _ []byte) bool { return true })
		}
		if proto.Unmarshal(request, new(traces.TracesData)) == nil {
			require.Equal(t, expected(t, request), withoutRaw(all))
		}
	})
}

// What a Checker lets pass or has mended can be read by everybody.
func FuzzCheck(f *testing.F) {
	seeds(f, func(request []byte) { f.Add(request, uint8(2)) })
	f.Fuzz(func(t *testing.T, request []byte, limit uint8) {
		n := int(limit)
		checkProperties(t, request, Limits{Depth: n, Attributes: n, Events: n, Links: n, NameBytes: n, ValueBytes: 2 * n})
		checkProperties(t, request, DefaultLimits())
	})
}

// What is translated is protobuf that the official library reads, and so does ours if the collector's finds the same.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"x","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":2,"status":{"code":2}}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"l","value":{"arrayValue":{"values":[{"intValue":"-1"},{"doubleValue":1e3},{"boolValue":true},{"bytesValue":"AAE="}]}}}]}}}]}]}]}]}`,
		`{"resource_spans":[]}`, "\uFEFF{}", `{}{}`, `[[[[`, `{"x":{"y":[null,1,"\ud83d"]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := TracesFromJSON(text, enough)
		if err != nil {
			require.True(t, errors.Is(err, ErrMalformed) || errors.Is(err, ErrTooLarge), "%v", err)
			return
		}
		require.NoError(t, proto.Unmarshal(got, new(traces.TracesData)), "%s", text)
		checker := Checker{Limits: DefaultLimits()}
		_, err = checker.Check(got, nil)
		require.NoError(t, err)
		// What the translation means is what the collector's library writes again.
		request := ptraceotlp.NewExportRequest()
		require.NoError(t, request.UnmarshalProto(got))
		again, err := request.MarshalJSON()
		require.NoError(t, err)
		if _, err := TracesFromJSON(again, 8*enough); err != nil {
			require.NoError(t, err, "%s\n%s", text, again)
		}
	})
}
