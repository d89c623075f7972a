package otelprof

import (
	"fmt"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// samplerFromEnv returns the sampler that OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG ask for. It is needed
// because the SDK reads them only if no sampler is given to it, and we have to give it one: this one in
// AlwaysRecord.
//
// It does what the SDK does, also with bad values: the sampler is always usable, parentbased_always_on for an unknown
// name and with the ratio 1 for a bad argument, and the error says what was wrong.
func samplerFromEnv(getenv func(string) (string, bool)) (sdktrace.Sampler, error) {
	read := func(name string) string {
		text, _ := getenv(name)
		return strings.TrimSpace(text)
	}
	name := read("OTEL_TRACES_SAMPLER")
	arg := read("OTEL_TRACES_SAMPLER_ARG")

	switch strings.ToLower(name) {
	case "", "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		ratio, err := parseRatio(arg)
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)), err
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		ratio, err := parseRatio(arg)
		return sdktrace.TraceIDRatioBased(ratio), err
	}
	return sdktrace.ParentBased(sdktrace.AlwaysSample()), fmt.Errorf(
		"OTEL_TRACES_SAMPLER is %s, want one of always_on, always_off, traceidratio, parentbased_always_on, "+
			"parentbased_always_off, parentbased_traceidratio; parentbased_always_on is used", quote(name))
}

// parseRatio returns the share of traces to sample, 1 if the text is empty or bad. Unlike the SDK it takes NaN for
// bad.
func parseRatio(text string) (float64, error) {
	if text == "" {
		return 1, nil
	}
	ratio, err := strconv.ParseFloat(text, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return 1, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %s, want a number from 0 to 1; 1 is used", quote(text))
	}
	return ratio, nil
}
