package exporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
)

func TestSpanOptions(t *testing.T) {
	type config struct {
		queue, batch         int
		delay, timeout, wait time.Duration
	}
	defaults := config{2048, 512, 5 * time.Second, 30 * time.Second, 0}
	for _, c := range []struct {
		name string
		env  map[string]string
		opts []SpanOption
		want config
		err  string
	}{
		{name: "defaults", want: defaults},
		{
			name: "options",
			opts: []SpanOption{WithQueueSize(100), nil, WithBatchSize(10), WithBatchDelay(1), WithExportTimeout(2), WithBlockOnFull(3)},
			want: config{100, 10, 1, 2, 3},
		}, {
			name: "environment",
			env: map[string]string{
				"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9",
				"OTEL_BSP_SCHEDULE_DELAY": "8", "OTEL_BSP_EXPORT_TIMEOUT": "7",
			},
			want: config{10, 9, 8 * time.Millisecond, 7 * time.Millisecond, 0},
		},
		{name: "option over environment", env: map[string]string{"OTEL_BSP_MAX_QUEUE_SIZE": "10"}, opts: []SpanOption{WithQueueSize(11)}, want: config{11, 11, 5 * time.Second, 30 * time.Second, 0}},
		{name: "empty variable", env: map[string]string{"OTEL_BSP_SCHEDULE_DELAY": ""}, want: defaults},
		{name: "no number", env: map[string]string{"OTEL_BSP_SCHEDULE_DELAY": "5s"}, want: defaults, err: `OTEL_BSP_SCHEDULE_DELAY="5s" is ignored: `},
		{name: "bad variable", env: map[string]string{"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, want: defaults, err: `OTEL_BSP_MAX_QUEUE_SIZE="0" is ignored: WithQueueSize(0): want 1 to 1048576`},
		{name: "huge variable", env: map[string]string{"OTEL_BSP_EXPORT_TIMEOUT": "99999999999999999999"}, want: defaults, err: "out of range"},
		{name: "no queue", opts: []SpanOption{WithQueueSize(0)}, want: defaults, err: "WithQueueSize(0): want 1 to 1048576"},
		{name: "huge queue", opts: []SpanOption{WithQueueSize(1 << 40)}, want: defaults, err: "want 1 to 1048576"},
		{name: "no batch", opts: []SpanOption{WithBatchSize(-1)}, want: defaults, err: "WithBatchSize(-1): want 1 or more"},
		{name: "no delay", opts: []SpanOption{WithBatchDelay(0)}, want: defaults, err: "WithBatchDelay(0s): want more than 0"},
		{name: "no timeout", opts: []SpanOption{WithExportTimeout(-1)}, want: defaults, err: "WithExportTimeout(-1ns): want more than 0"},
		{name: "no wait", opts: []SpanOption{WithBlockOnFull(0)}, want: defaults, err: "WithBlockOnFull(0s): want more than 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			before := otel.GetErrorHandler()
			defer otel.SetErrorHandler(before)
			var problems []error
			otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { problems = append(problems, err) }))
			got := newSpanConfig(c.opts)
			require.Equal(t, c.want, config{got.queueSize, got.batchSize, got.batchDelay, got.exportTimeout, got.maxBlock})
			if c.err == "" {
				require.Empty(t, problems)
			} else {
				require.Len(t, problems, 1)
				require.ErrorContains(t, problems[0], c.err)
			}
		})
	}
}
