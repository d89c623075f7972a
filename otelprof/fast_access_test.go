package otelprof

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestWrongLayoutIsNotUsed: an access of which any field is elsewhere than it thinks disagrees with the accessors, and is
// dropped before it has read a span of the user's.
func TestWrongLayoutIsNotUsed(t *testing.T) {
	good := sdkAccess()
	require.NotNil(t, good, "the SDK that is pinned has the layout that is known")
	again := *good
	require.NotNil(t, (&probe{access: &again}).run())
	// What is wrong points at another field of the same or a shorter type, so that the test itself reads nothing bad.
	for name, spoil := range map[string]func(f *fastAccess){
		"name":                  func(f *fastAccess) { f.name = good.scope },
		"kind":                  func(f *fastAccess) { f.kind = good.status },
		"start":                 func(f *fastAccess) { f.begin = good.finish },
		"end":                   func(f *fastAccess) { f.finish = good.begin },
		"status":                func(f *fastAccess) { f.status = good.kind },
		"scope":                 func(f *fastAccess) { f.scope = good.name },
		"trace":                 func(f *fastAccess) { f.traceID = good.spanID },
		"span":                  func(f *fastAccess) { f.spanID = good.traceID },
		"flags":                 func(f *fastAccess) { f.flags = good.remote },
		"remote":                func(f *fastAccess) { f.remote = good.flags },
		"remote, never set":     func(f *fastAccess) { f.remote = good.remote - 8 }, // in the trace state, which is empty
		"started":               func(f *fastAccess) { f.startedContext = good.startedParent },
		"parent":                func(f *fastAccess) { f.startedParent = good.startedContext },
		"type of started spans": func(f *fastAccess) { f.started = good.ended },
		"type of ended spans":   func(f *fastAccess) { f.ended = good.started },
	} {
		bad := *good
		spoil(&bad)
		require.Nil(t, (&probe{access: &bad}).run(), name)
	}
}

// TestSpansOfOtherTypesAreNotRead: those of other SDKs, and stubs, are left to the accessors.
func TestSpansOfOtherTypesAreNotRead(t *testing.T) {
	var e endedSpan
	require.False(t, sdkAccess().end(tracetest.SpanStub{Name: "stub"}.Snapshot(), &e))
	require.Zero(t, e)
}
