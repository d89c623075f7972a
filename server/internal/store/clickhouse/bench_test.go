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
	var memory parcelMemory
	p, err := memory.unpack(EncodeParcel(b, &m.Segment))
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
	var memory parcelMemory
	var packed []byte
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, memory.encode(&m.Segment, "a node", 1))
		packed = memory.pack(packed)
		_, err := memory.read()
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(m.Spans)), "ns/span")
}
