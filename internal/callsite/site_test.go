package callsite

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// With a profile the compiler may inline across packages, so that one address stands for frames on both sides of
// the SDK. Each letter is a frame, innermost first: u and v are users, o is a processor of ours, s is the SDK.
func TestSiteOfInlinedFrames(t *testing.T) {
	frames := map[rune]runtime.Frame{
		'u': {Function: "main.u", File: "/src/main.go", Line: 1},
		'v': {Function: "main.v.gowrap1", File: "/src/main.go", Line: 2},
		'o': {Function: module + "/otelprof.(*Profiler).OnStart", File: "/src/processor.go"},
		's': {Function: sdkPackage + "(*tracer).Start", File: "/src/tracer.go"},
	}
	for inlined, want := range map[string]struct {
		first, started string
		sdk            bool
	}{
		"o":     {"", "", false},
		"u":     {"main.u", "", false},
		"uv":    {"main.u", "", false},
		"v":     {"main.v", "", false},
		"s":     {"", "", true},
		"os":    {"", "", true},
		"su":    {"main.u", "main.u", true},
		"osvu":  {"main.v", "main.v", true},
		"uosv":  {"main.u", "main.v", true},
		"uossv": {"main.u", "main.v", true},
	} {
		var list []runtime.Frame
		for _, f := range inlined {
			list = append(list, frames[f])
		}
		s := siteOf(7, list, nil)
		name := func(l *Location) string {
			if l == nil {
				return ""
			}
			require.Equal(t, strings.HasSuffix(l.Function, "u"), l.Line == 1)
			return l.Function
		}
		require.Equal(t, want.first, name(s.found(true)), inlined)
		require.Equal(t, want.started, name(s.found(false)), inlined)
		require.Equal(t, want.sdk, s.sdk, inlined)
	}
}
