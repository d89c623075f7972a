package otelprof

import (
	"slices"
	"strconv"
)

// CallSiteMode says how the profiler finds the function, file and line that a span starts at. The zero value is
// CallSiteAuto.
type CallSiteMode uint8

const (
	// CallSiteAuto takes the code.* attributes where the instrumentation set them, else the caller of Tracer.Start,
	// found by walking frame pointers (where that is not supported, by runtime.Callers).
	CallSiteAuto CallSiteMode = iota
	// CallSiteAttributes takes the code.* attributes alone. Spans without them have no location.
	CallSiteAttributes
	// CallSiteCallers is CallSiteAuto, but always with runtime.Callers: slower, and without any assembly.
	CallSiteCallers
	// CallSiteOff keeps no location at all. It is the cheapest, and spans of one name become one site.
	CallSiteOff
)

var callSiteModes = []string{"auto", "attributes", "callers", "off"}

// String returns the mode as it is written in the configuration file and in OTELPROF_CALL_SITE, such as "auto".
func (m CallSiteMode) String() string {
	if m.valid() {
		return callSiteModes[m]
	}
	return "CallSiteMode(" + strconv.Itoa(int(m)) + ")"
}

func (m CallSiteMode) valid() bool { return int(m) < len(callSiteModes) }

func parseCallSiteMode(text string) (CallSiteMode, bool) {
	i := slices.Index(callSiteModes, text)
	return CallSiteMode(max(i, 0)), i >= 0
}
