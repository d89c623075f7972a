package otelprof_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

func ExampleProfiler_Repeat() {
	profiler, err := otelprof.New()
	if err != nil {
		log.Fatal(err)
	}
	text := strings.Repeat("the quick brown fox ", 10_000)
	result, err := profiler.Repeat(context.Background(), "text", "count words", otelprof.RepeatOptions{
		Patience: 20 * time.Millisecond, // until no run was faster than the best for so long
		Warmup:   1,
		Bytes:    int64(len(text)),
	}, func(context.Context) error {
		if n := len(strings.Fields(text)); n != 40_000 {
			return fmt.Errorf("counted %d words", n)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// fmt.Println(result) would print, for example:
	// "count words": 61 runs, mean 325µs (95 % between 312.1µs and 337.9µs), σ 50.4µs, min 301.2µs, max 612.3µs, ...
	fmt.Println(result.Min <= result.Mean, result.Low <= result.Mean, result.BestBandwidth() >= result.Bandwidth())
	// Output: true true true
}

func ExampleProfiler_SelfOverhead() {
	profiler, err := otelprof.New()
	if err != nil {
		log.Fatal(err)
	}
	overhead, err := profiler.SelfOverhead(context.Background(), 20*time.Millisecond)
	if err != nil {
		log.Fatal(err)
	}
	// fmt.Println(overhead) would print, for example:
	// a span costs 148ns more (± 9ns), over 1.071µs without the profiler, and 0.00 more allocations
	// a block costs 143ns and 0.00 allocations, a timer of a site 61ns
	// medians of 38 interleaved rounds, by CPU time of the thread
	fmt.Println(overhead.Rounds >= 3)
	// Output: true
}
