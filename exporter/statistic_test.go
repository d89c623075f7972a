package exporter

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// TestCountersAreComplete fails when core gets a counter that the table lacks.
func TestCountersAreComplete(t *testing.T) {
	var c core.Counters
	names := []string{}
	for i, counter := range counters {
		*counter.field(&c) = uint64(i + 1)
		names = append(names, counter.name)
	}
	v := reflect.ValueOf(c)
	want := []string{}
	for i := range v.NumField() {
		require.Equal(t, uint64(i+1), v.Field(i).Uint(), v.Type().Field(i).Name)
		want = append(want, v.Type().Field(i).Tag.Get("json"))
	}
	require.Equal(t, want, names)
}

// TestStatisticsAreComplete fails when core gets a statistic that is not written and read.
func TestStatisticsAreComplete(t *testing.T) {
	elsewhere := map[string]bool{ // in the histograms and their exemplars, the parts of the squares, and the active metric
		"SumSquares": true, "Active": true, "Slowest": true, "LastError": true, "Histogram": true, "SelfHistogram": true,
	}
	var s core.Stats
	for i, statistic := range statistics {
		statistic.set(&s, int64(i+1))
		require.Equal(t, int64(i+1), statistic.get(&s), statistic.name)
	}
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !elsewhere[name] {
			require.False(t, v.Field(i).IsZero(), "%s is in no metric", name)
		}
	}
	require.Less(t, len(statistics), activeBit, "the bits of statsReading.seen overlap")
}
