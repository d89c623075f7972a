package exporter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func TestSpanLossText(t *testing.T) {
	require.Equal(t, "no spans lost", SpanLoss{}.String())
	l := SpanLoss{QueueFull: 1, Failed: 2, Rejected: 6, TimedOut: 3, Panicked: 4, ShutDown: 5}
	require.EqualValues(t, 21, l.Total())
	require.Equal(t, "21 spans lost (queue full 1, export failed 2, rejected 6, export timed out 3, export panicked 4, shut down 5)", l.String())
	require.Equal(t, SpanLoss{QueueFull: 1, ShutDown: 1}, l.Sub(SpanLoss{0, 2, 6, 3, 4, 4}))
	require.EqualValues(t, 21, l.Total(), "Sub changed its receiver")
}

// recorder notes the reports of losses with their time.
type recorder struct {
	start time.Time
	text  []string
}

func (r *recorder) note(loss SpanLoss, err error) {
	r.text = append(r.text, fmt.Sprintf("%v: %v: %v", time.Since(r.start), loss, err))
}

func TestLossIsReportedSeldomAndCompletely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{start: time.Now()}
		fault := errors.New("first")
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { return fault }}
		p := NewSpanProcessor(exp, WithBatchSize(1), WithLossHandler(r.note))
		end := func(after time.Duration) {
			time.Sleep(after)
			endSpans(p, 0, 1)
			synctest.Wait()
		}
		end(0)
		fault = errors.New("second")
		end(time.Second / 2) // the same burst
		end(time.Second)     // 0.5 s after the report
		end(time.Second)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{
			"1s: 2 spans lost (export failed 2): exporting spans: second",
			"11s: 2 spans lost (export failed 2): exporting spans: second",
		}, r.text)
		end(0)
		require.NoError(t, p.Shutdown(t.Context()))
		require.Len(t, r.text, 3, "the last loss is reported at the end")
	})
}

func TestLossIsReportedWhileTheExporterHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{start: time.Now()}
		release := make(chan struct{})
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { <-release; return nil }}
		p := NewSpanProcessor(exp, WithBatchSize(1), WithQueueSize(1), WithExportTimeout(time.Minute), WithLossHandler(r.note))
		endSpans(p, 0, 1)
		synctest.Wait()
		endSpans(p, 0, 3)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		close(release)
		require.NoError(t, p.Shutdown(t.Context()))
		require.Equal(t, []string{
			"1s: 2 spans lost (queue full 2): <nil>",
			"1m1s: 1 spans lost (export timed out 1): the export timeout is over",
		}, r.text)
	})
}

func TestLossIsReportedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{start: time.Now()}
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { panic("boom") }}
		p := NewSpanProcessor(exp, WithLossHandler(r.note))
		endSpans(p, 0, 1)
		require.Error(t, p.Shutdown(t.Context()))
		endSpans(p, 0, 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"0s: 1 spans lost (export panicked 1): exporting spans: the exporter panicked: boom"}, r.text)
	})
}

func TestWarningOfTheBackendIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{start: time.Now()}
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error {
			return partialSuccess{"use fewer names", 0, "spans"}
		}}
		p := NewSpanProcessor(exp, WithLossHandler(r.note))
		endSpans(p, 0, 1)
		require.NoError(t, p.Shutdown(t.Context()))
		require.Equal(t, []string{"0s: no spans lost: exporting spans: use fewer names"}, r.text)
	})
}

// TestLossHandlerFaults: a handler that panics, exits or takes long hurts nobody and is called again.
func TestLossHandlerFaults(t *testing.T) {
	for name, fault := range map[string]func(){
		"panic": func() { panic("boom") },
		"exit":  runtime.Goexit,
		"slow":  func() { time.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { return errors.New("no") }}
				var reported uint64
				running := 0
				p := NewSpanProcessor(exp, WithBatchSize(1), WithLossHandler(func(loss SpanLoss, _ error) {
					running++
					defer func() { running-- }()
					if running > 1 {
						t.Error("two reports at the same time")
					}
					reported += loss.Total()
					if reported < 3 {
						fault()
					}
				}))
				for range 3 {
					endSpans(p, 0, 1)
					time.Sleep(20 * time.Second)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				require.EqualValues(t, 3, reported)
				require.NoError(t, p.Shutdown(t.Context()))
				require.Equal(t, name == "panic", p.Stats().Panics > 0)
			})
		})
	}
}

func TestLossGoesToTheErrorHandlerByDefault(t *testing.T) {
	before := otel.GetErrorHandler()
	defer otel.SetErrorHandler(before)
	var got []string
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { got = append(got, err.Error()) }))
	exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { return errors.New("no") }}
	p := NewSpanProcessor(exp, WithLossHandler(nil))
	endSpans(p, 0, 1)
	require.Error(t, p.Shutdown(t.Context()))
	handleLoss(SpanLoss{QueueFull: 1}, nil)
	require.Equal(t, []string{
		"otelprof exporter: 1 spans lost (export failed 1): exporting spans: no",
		"otelprof exporter: 1 spans lost (queue full 1)",
	}, got)
}
