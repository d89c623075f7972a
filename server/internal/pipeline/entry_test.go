package pipeline

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
)

func TestEntryIsTheRequest(t *testing.T) {
	facts := newFacts(1)
	var into []byte
	for _, n := range []int{0, 1, 30, 500} {
		request := []byte{}
		if n > 0 {
			request = requestOf(facts.trace(n, time.Now()))
		}
		e, err := pack(request)
		require.NoError(t, err)
		into, err = e.unpack(into)
		require.NoError(t, err)
		require.Equal(t, string(request), string(into))
	}
}

func TestWhatIsNoEntryIsDamaged(t *testing.T) {
	request := requestOf(newFacts(1).trace(50, time.Now()))
	e, err := pack(request)
	require.NoError(t, err)
	for _, damaged := range []entry{nil, e[:len(e)/2], []byte("no entry"), {0xff, 0xff, 0xff, 0xff, 0x7f, 1}} {
		_, err := damaged.unpack(nil)
		require.ErrorIs(t, err, store.ErrDamaged)
	}
}

// What packs to nearly nothing counts for what it is when it is unpacked.
func TestEntryCountsForAtLeastAnEighth(t *testing.T) {
	e, err := pack(make([]byte, 1<<20))
	require.NoError(t, err)
	q := newRequest(e, 1<<20, 1)
	require.Less(t, len(e), 1<<17)
	require.EqualValues(t, 1<<17, q.packed)
	require.EqualValues(t, spanSize+1<<17, q.cost(1))
}

// An entry of the log that is no request is reported, and those around it are there.
func TestDamagedEntryIsPassedOver(t *testing.T) {
	var logged bytes.Buffer
	s, err := pebblestore.Open(pebblestore.Options{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	require.NoError(t, err)
	facts := newFacts(1)
	for i := range 3 {
		e, err := pack(requestOf(facts.trace(10, time.Now())))
		require.NoError(t, err)
		if i == 1 {
			e = e[:len(e)/2]
		}
		_, err = s.Append(t.Context(), e)
		require.NoError(t, err)
	}
	p, err := Open(t.Context(), Config{Store: s})
	require.NoError(t, err)
	require.EqualValues(t, 20, p.Counters().Replayed)
	require.Contains(t, logged.String(), "an entry of the log cannot be read")
	require.NoError(t, p.Close(t.Context()))
	require.NoError(t, s.Close())
}
