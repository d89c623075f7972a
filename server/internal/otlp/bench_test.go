package otlp

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// measure runs f in a benchmark and tells what a million spans cost in CPU seconds of the process.
func measure(b *testing.B, request []byte, spans int, f func() error) {
	b.ReportAllocs()
	before, n := cpu(), 0
	for b.Loop() {
		require.NoError(b, f())
		n++
	}
	b.ReportMetric((cpu()-before).Seconds()/float64(n*spans)*1e6, "CPU-s/Mspans")
	b.ReportMetric(float64(len(request))/float64(spans), "B/span")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkWalk(b *testing.B) {
	request := realistic(510)
	var w Walker
	var sum uint64
	visit := func(s *Span) error {
		sum += s.End - s.Start
		return nil
	}
	measure(b, request, 510, func() error { return w.Walk(request, visit) })
}

func BenchmarkCheck(b *testing.B) {
	request := realistic(510)
	c := Checker{Limits: DefaultLimits()}
	measure(b, request, 510, func() error {
		_, err := c.Check(request, nil)
		return err
	})
}

func BenchmarkTexts(b *testing.B) {
	request := realistic(510)
	all, err := walk(request)
	require.NoError(b, err)
	var texts Texts
	n := 0
	visit := func(key, text []byte) bool {
		n += len(key) + len(text)
		return true
	}
	measure(b, request, 510, func() error {
		for i := range all {
			texts.Span(all[i].Raw, visit)
		}
		return nil
	})
}

func BenchmarkFromJSON(b *testing.B) {
	request := realistic(510)
	text, err := TracesToJSON(request)
	require.NoError(b, err)
	measure(b, text, 510, func() error {
		_, err := TracesFromJSON(text, enough)
		return err
	})
}
