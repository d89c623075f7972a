package otelprof

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// fixedIDs makes the SDK use one trace id, so that a decision that depends on it can be repeated.
type fixedIDs struct{ id trace.TraceID }

func (f *fixedIDs) NewIDs(context.Context) (trace.TraceID, trace.SpanID) {
	return f.id, trace.SpanID{1}
}

func (f *fixedIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return trace.SpanID{2} }

// situations are all kinds of parents that a sampler looks at, with trace ids over the whole range.
func situations() []trace.SpanContext {
	random := rand.New(rand.NewPCG(5, 6))
	var out []trace.SpanContext
	for i := range 64 {
		var id trace.TraceID
		binary.BigEndian.PutUint64(id[:8], random.Uint64())
		binary.BigEndian.PutUint64(id[8:], uint64(i)<<58|1)
		parent := trace.SpanContextConfig{TraceID: id}
		out = append(out, trace.NewSpanContext(parent)) // not valid: a root
		parent.SpanID = trace.SpanID{3}
		for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled} {
			for _, remote := range []bool{false, true} {
				parent.TraceFlags, parent.Remote = flags, remote
				out = append(out, trace.NewSpanContext(parent))
			}
		}
	}
	return out
}

// TestSamplerAgreesWithTheSDK compares with the sampler that a TracerProvider of the SDK takes from the environment.
func TestSamplerAgreesWithTheSDK(t *testing.T) {
	var complaint error
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { complaint = err }))
	t.Cleanup(func() { otel.SetErrorHandler(before) })

	names := []string{"", "always_on", " Always_Off\t", "TRACEIDRATIO", "traceidratio", "parentbased_always_on",
		"parentbased_always_off", "parentbased_traceidratio", "parentbased_", "jaeger_remote", "\xff"}
	args := []string{"", "0", "1", " 0.25 ", "1e-1", "0x1p-2", "-0.1", "1.5", "many", "+Inf"}
	different := map[string]bool{}
	for _, name := range names {
		for _, arg := range args {
			t.Setenv("OTEL_TRACES_SAMPLER", name)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", arg)
			complaint = nil
			ids := &fixedIDs{}
			tracer := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(ids)).Tracer("test")
			ours, err := samplerFromEnv(os.LookupEnv)
			require.Equal(t, complaint != nil, err != nil, "%q %q: the SDK says %v, we say %v", name, arg, complaint, err)

			decisions := ""
			for _, parent := range situations() {
				ctx := trace.ContextWithSpanContext(context.Background(), parent)
				ids.id = parent.TraceID()
				_, span := tracer.Start(ctx, "span")
				want := span.SpanContext().IsSampled()
				require.Equal(t, want, samples(ours, ctx), "%q %q with parent %+v", name, arg, parent)
				decisions += map[bool]string{true: "1", false: "0"}[want]
			}
			different[decisions] = true
		}
	}
	require.GreaterOrEqual(t, len(different), 6, "the situations must tell the samplers apart")
}

func samples(s sdktrace.Sampler, parent context.Context) bool {
	result := s.ShouldSample(sdktrace.SamplingParameters{
		ParentContext: parent, TraceID: trace.SpanContextFromContext(parent).TraceID(),
	})
	return result.Decision == sdktrace.RecordAndSample
}

func TestSamplerErrorsNameTheVariable(t *testing.T) {
	for _, test := range []struct{ name, arg, want, description string }{
		{"nope", "", `OTEL_TRACES_SAMPLER is "nope", want one of always_on, always_off, traceidratio, ` +
			`parentbased_always_on, parentbased_always_off, parentbased_traceidratio; parentbased_always_on is used`,
			sdktrace.ParentBased(sdktrace.AlwaysSample()).Description()},
		{"traceidratio", "2", `OTEL_TRACES_SAMPLER_ARG is "2", want a number from 0 to 1; 1 is used`,
			sdktrace.TraceIDRatioBased(1).Description()},
		{"parentbased_traceidratio", "NaN", `OTEL_TRACES_SAMPLER_ARG is "NaN", want a number from 0 to 1; 1 is used`,
			sdktrace.ParentBased(sdktrace.TraceIDRatioBased(1)).Description()},
	} {
		variables := map[string]string{"OTEL_TRACES_SAMPLER": test.name, "OTEL_TRACES_SAMPLER_ARG": test.arg}
		sampler, err := samplerFromEnv(func(name string) (string, bool) {
			value, ok := variables[name]
			return value, ok
		})
		require.EqualError(t, err, test.want)
		require.Equal(t, test.description, sampler.Description())
	}
}
