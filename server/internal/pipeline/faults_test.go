package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

func TestFailingCommitLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, Config{SegmentAge: time.Second, Memory: 1 << 20})
		var broken atomic.Bool
		broken.Store(true)
		w.store.fail = func() error {
			if broken.Load() {
				return errors.New("no space left on device")
			}
			return nil
		}
		refused := 0
		for range 1000 {
			list := w.facts.trace(20, time.Now())
			if _, err := w.p.Ingest(t.Context(), requestOf(list)); err != nil {
				require.ErrorIs(t, err, otlp.ErrOverloaded)
				refused++
			} else {
				w.remember(list)
			}
			time.Sleep(100 * time.Millisecond)
		}
		w.check()
		require.NotZero(t, refused)
		n := w.p.Counters()
		require.EqualValues(t, refused, n.Overloaded)
		require.Zero(t, n.Commits)
		require.Greater(t, n.CommitErrors, uint64(5))
		require.LessOrEqual(t, n.Used, int64(1<<20))

		broken.Store(false)
		time.Sleep(longWait + 15*time.Second)
		w.send(w.facts.trace(20, time.Now()))
		w.check()
		require.NotZero(t, w.p.Counters().Commits)
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
	})
}

func TestCloseGivesUpAtItsDeadlineAndTheLogHasTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, Config{})
		w.store.fail = func() error { return errors.New("broken") }
		w.send(w.facts.trace(20, time.Now()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, w.p.Close(ctx), "20 spans are not committed")
		require.NoError(t, w.p.Close(t.Context()), "only the first call does anything")
		_, err := w.p.Ingest(t.Context(), requestOf(w.facts.trace(1, time.Now())))
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, err, otlp.ErrOverloaded)

		w.store.fail = nil
		w.open()
		require.EqualValues(t, 20, w.p.Counters().Replayed)
		w.check()
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
	})
}

func TestFullStoreRefusesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, Config{})
		defer func() { require.NoError(t, w.p.Close(t.Context())) }()
		w.store.Store = memory.New(memory.Options{MaxBytes: 3000})
		var err error
		for err == nil {
			list := w.facts.trace(5, time.Now())
			if _, err = w.p.Ingest(t.Context(), requestOf(list)); err == nil {
				w.remember(list)
			}
		}
		require.ErrorIs(t, err, otlp.ErrOverloaded)
		require.ErrorIs(t, err, store.ErrFull)
		w.check()
		require.NotZero(t, w.p.Counters().Requests)
	})
}

type failing struct{ store.Store }

func (failing) Append(context.Context, []byte) (uint64, error) {
	return 0, errors.New("input/output error")
}

func TestFailingLogIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, Config{})
		w.store.Store = failing{w.store.Store}
		_, err := w.p.Ingest(t.Context(), requestOf(w.facts.trace(5, time.Now())))
		require.ErrorContains(t, err, "input/output error")
		require.NotErrorIs(t, err, otlp.ErrOverloaded)
		w.check()
		require.EqualValues(t, 1, w.p.Counters().Failed)
		require.NoError(t, w.p.Close(t.Context()))
	})
}

func TestMalformedRequestIsRefusedAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, only := range []bool{false, true} {
			w := newWorld(t, 5, Config{StatisticsOnly: only})
			request := requestOf(w.facts.trace(5, time.Now()))
			_, err := w.p.Ingest(t.Context(), request[:len(request)-3])
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.Zero(t, w.p.Counters().Used)
			require.EqualValues(t, 1, w.p.Counters().Malformed)
			s, err := w.p.Live().Profile(t.Context(), store.Range{})
			require.NoError(t, err)
			require.True(t, s.IsEmpty())
			_, err = w.p.Ingest(t.Context(), nil)
			require.NoError(t, err, "an empty request is fine")
			require.NoError(t, w.p.Close(t.Context()))
		}
	})
}

func TestSpansOutsideTheTimeThatIsKeptAreRefusedAloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, only := range []bool{false, true} {
			w := newWorld(t, 6, Config{Retention: time.Hour, StatisticsOnly: only})
			w.store.Store = memory.New(memory.Options{})
			old := w.facts.trace(1, time.Now().Add(-2*time.Hour))
			ahead := w.facts.trace(1, time.Now().Add(48*time.Hour))
			good := w.facts.trace(1, time.Now())
			got, err := w.p.Ingest(t.Context(), requestOf([]fact{old[0], good[0], ahead[0]}))
			require.NoError(t, err)
			require.Equal(t, 2, got.Rejected)
			require.Contains(t, got.Message, InFuture)
			w.remember(good)
			if !only {
				w.check()
				w.crash()
				w.check() // what was refused does not come back
			}
			require.NoError(t, w.p.Close(t.Context()))
		}
	})
}

func TestWhatIsTooOldIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8, Config{Retention: time.Hour})
		w.send(w.facts.trace(10, time.Now()))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		s, err := w.p.Live().Profile(t.Context(), store.Range{})
		require.NoError(t, err)
		require.True(t, s.IsEmpty())
		require.NoError(t, w.p.Close(t.Context()))
	})
}
