package clickhouse

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// EncodeParcel returns a segment as it lies in the queue.
func EncodeParcel(t testing.TB, g *store.Segment) []byte {
	var m parcelMemory
	require.NoError(t, m.encode(g, "a node", 1))
	return m.pack(nil)
}

// Deliver sends a parcel.
func Deliver(t *testing.T, s *Store, encoded []byte) {
	var m parcelMemory
	p, err := m.unpack(encoded)
	require.NoError(t, err)
	d, err := makeDelivery(p, newSpanRows())
	require.NoError(t, err)
	require.NoError(t, s.deliverNames(context.Background(), d))
	_, err = s.deliver(context.Background(), d)
	require.NoError(t, err)
}

// Remainder returns what OtelprofSpan has of a message.
func Remainder(t *testing.T, message []byte, trace core.TraceID) string {
	r, ok := rowOf(message, trace)
	require.True(t, ok)
	return r.remainder
}

func TestRefusalsAreExplained(t *testing.T) {
	for code, want := range map[int32]string{
		codeAuthentication: "user and password", codeWrongPassword: "user and password", codeUnknownUser: "user and password",
		codeUnknownDatabase: "no such database", codeReadOnly: "read only", codeTableReadOnly: "read only",
		codeNotEnoughSpace: "disk of ClickHouse is full", codeAccessDenied: "may not do this", 1: "refuses",
	} {
		err := &clickhouse.Exception{Code: code, Message: "why"}
		require.ErrorContains(t, explain(err), want)
		require.ErrorIs(t, explain(err), err)
		require.False(t, passes(err))
	}
	require.True(t, passes(context.DeadlineExceeded))
	require.NoError(t, explain(nil))
}

func TestTTLStatements(t *testing.T) {
	require.Empty(t, Schema{Cluster: "main"}.ttlStatements())
	statements := Schema{Cluster: "main", TTL: 24 * time.Hour}.ttlStatements()
	require.Len(t, statements, 5)
	require.Contains(t, statements, "ALTER TABLE otel_traces_local ON CLUSTER 'main' MODIFY TTL toDateTime(Timestamp) + toIntervalDay(1)")
}

// FuzzDecodeParcel must neither panic nor take memory for what is not there.
func FuzzDecodeParcel(f *testing.F) {
	m := storetest.NewGenerator(1).Segment(2)
	m.AddProfiles()
	b := EncodeParcel(f, &m.Segment)
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		var m parcelMemory
		if p, err := m.unpack(b); err == nil {
			require.NoError(t, p.segment.Validate())
		} else if len(b) < parcelHead || b[0] <= parcelFormat {
			require.ErrorIs(t, err, store.ErrDamaged)
		} else {
			require.NotErrorIs(t, err, store.ErrDamaged)
		}
	})
}

// ExecStatement executes a statement of a migration.
func ExecStatement(ctx context.Context, conn driver.Conn, s Schema, statement string) error {
	return s.exec(ctx, conn, statement)
}

// MaxFree is how many parcels' memory is kept for others.
const MaxFree = maxFree
