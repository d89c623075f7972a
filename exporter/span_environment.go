package exporter

import (
	"fmt"
	"strconv"
	"time"
)

// spanEnvironment returns the options that OpenTelemetry's variables for batch processors stand for. A value that is
// not a whole number becomes an option that fails, so that it is reported like any other bad one.
func spanEnvironment(lookup func(string) (string, bool)) []SpanOption {
	var opts []SpanOption
	for _, v := range []struct {
		name   string
		option func(n int64) SpanOption
	}{
		{"OTEL_BSP_MAX_QUEUE_SIZE", func(n int64) SpanOption { return WithQueueSize(int(n)) }},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", func(n int64) SpanOption { return WithBatchSize(int(n)) }},
		{"OTEL_BSP_SCHEDULE_DELAY", func(n int64) SpanOption { return WithBatchDelay(milliseconds(n)) }},
		{"OTEL_BSP_EXPORT_TIMEOUT", func(n int64) SpanOption { return WithExportTimeout(milliseconds(n)) }},
	} {
		text, ok := lookup(v.name)
		if !ok || text == "" {
			continue
		}
		opts = append(opts, spanOptionFunc(func(c *spanConfig) error {
			n, err := strconv.ParseInt(text, 10, 32)
			if err == nil {
				err = v.option(n).applySpan(c)
			}
			if err != nil {
				return fmt.Errorf("%s=%q is ignored: %w", v.name, text, err)
			}
			return nil
		}))
	}
	return opts
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
