package clickhouse

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// BenchmarkMakeRows is what a node spends on a span to make rows of it, without the driver.
func BenchmarkMakeRows(b *testing.B) {
	m := storetest.NewGenerator(1).Segment(1000)
	m.AddProfiles()
	encoded, err := encodeParcel(&m.Segment, "a node", 1)
	require.NoError(b, err)
	p, err := decodeParcel(encoded)
	require.NoError(b, err)
	rows := newSpanRows()
	b.ReportAllocs()
	for b.Loop() {
		_, err := makeDelivery(p, rows)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(m.Spans)), "ns/span")
}

// BenchmarkParcel is what a node spends on a span to queue it, without the disk.
func BenchmarkParcel(b *testing.B) {
	m := storetest.NewGenerator(1).Segment(1000)
	m.AddProfiles()
	b.ReportAllocs()
	for b.Loop() {
		encoded, err := encodeParcel(&m.Segment, "a node", 1)
		require.NoError(b, err)
		_, err = decodeParcel(encoded)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(m.Spans)), "ns/span")
}
