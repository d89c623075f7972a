package clickhouse

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// A parcel that cannot be read is dropped, and counts neither as waiting nor as sent.
func TestDamagedParcelIsGivenUp(t *testing.T) {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	local, err := pebblestore.Open(pebblestore.Options{Dir: t.TempDir(), Logger: log})
	require.NoError(t, err)
	o := outbox{s: &Store{local: local, options: Options{Logger: log}}, attempted: make(chan struct{}), wake: make(chan struct{}, 1)}
	for seed := range uint64(2) {
		m := o.take()
		require.NoError(t, m.encode(&storetest.NewGenerator(seed).Segment(3).Segment, "a node", seed))
		packed := m.pack(nil)
		number, err := local.CommitParcel(ctx, packed, nil)
		require.NoError(t, err)
		_, err = m.unpack(packed)
		require.NoError(t, err)
		o.add(number, m)
	}
	first, second := o.queue[0], o.queue[1]
	disk := errors.New("the disk is gone")
	require.Equal(t, disk, o.giveUp(ctx, first.number, disk), "that may pass")
	require.Len(t, o.queue, 2)

	err = o.giveUp(ctx, first.number, store.ErrDamaged)
	require.ErrorIs(t, err, errGivenUp)
	o.note(first, err)
	require.Equal(t, Counters{Damaged: 1, Waiting: 1, WaitingSpans: second.spans, Oldest: second.since}, o.counters())
	require.Equal(t, second.memory.size(), o.cached)
	require.NoError(t, o.failure)
	require.Equal(t, []uint64{second.number}, local.Parcels())
	require.NoError(t, local.Close())
}

// What a later version left in the queue is not taken for damaged, which would be dropped: the store does not open.
func TestParcelOfALaterVersion(t *testing.T) {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	local, err := pebblestore.Open(pebblestore.Options{Dir: dir, Logger: log})
	require.NoError(t, err)
	packed := EncodeParcel(t, &storetest.NewGenerator(1).Segment(3).Segment)
	packed[0] = parcelFormat + 1
	number, err := local.CommitParcel(ctx, packed, nil)
	require.NoError(t, err)
	require.NoError(t, local.Close())

	_, err = Open(ctx, Options{URL: "clickhouse://127.0.0.1:1/x?dial_timeout=50ms", Dir: dir, Logger: log})
	require.ErrorContains(t, err, "use the version that wrote it")

	local, err = pebblestore.Open(pebblestore.Options{Dir: dir, Logger: log})
	require.NoError(t, err)
	require.Equal(t, []uint64{number}, local.Parcels())
	require.NoError(t, local.Close())
}
