package forward

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakePeer answers as it is told.
type fakePeer struct {
	answer func(ctx context.Context, attempt int) error
	times  []time.Time
	closed bool
}

func (p *fakePeer) send(ctx context.Context, _ []byte) (int64, error) {
	p.times = append(p.times, time.Now())
	return 2, p.answer(ctx, len(p.times))
}

func (p *fakePeer) close() error { p.closed = true; return nil }

var errDown = &retryable{err: errors.New("connection refused")}

func TestRetriesUntilThePeerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePeer{answer: func(_ context.Context, attempt int) error {
			switch {
			case attempt == 1:
				return &retryable{errors.New("busy"), 20 * time.Second}
			case attempt < 5:
				return errDown
			}
			return nil
		}}
		f := start(Config{Workers: 1}, p)
		f.Offer([]byte("request"))
		require.NoError(t, f.Stop(t.Context()), "it is sent still")
		require.True(t, p.closed)
		require.Len(t, p.times, 5)
		require.Equal(t, 20*time.Second, p.times[1].Sub(p.times[0]), "as the peer asked for")
		for i := 2; i < 5; i++ {
			wait := firstWait << (i - 1)
			require.GreaterOrEqual(t, p.times[i].Sub(p.times[i-1]), wait/2)
			require.LessOrEqual(t, p.times[i].Sub(p.times[i-1]), wait)
		}
		c := &f.Counters
		require.Equal(t, [4]int64{1, 4, 2, 0}, [4]int64{c.Forwarded.Load(), c.Retries.Load(), c.RejectedSpans.Load(), c.QueuedBytes.Load()})
	})
}

func TestDropsAreCountedByReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan error)
		p := &fakePeer{answer: func(ctx context.Context, _ int) error {
			select {
			case err := <-hold:
				return err
			case <-ctx.Done():
				return &retryable{err: ctx.Err()}
			}
		}}
		f := start(Config{Workers: 1, QueueBytes: 3 * (perRequest + 10), RetryTime: time.Minute, Timeout: time.Hour}, p)
		for range 5 {
			f.Offer(make([]byte, 10))
		}
		c := &f.Counters
		require.EqualValues(t, 2, c.DroppedFull.Load())
		require.EqualValues(t, 3*(perRequest+10), c.QueuedBytes.Load())
		hold <- errors.New("status 400")
		synctest.Wait()
		require.EqualValues(t, 1, c.DroppedRefused.Load())
		for c.DroppedExpired.Load() == 0 {
			hold <- errDown
			synctest.Wait()
		}
		require.Greater(t, c.Retries.Load(), int64(4))
		// The last one hangs. Two more come while the server stops.
		stopping, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorContains(t, f.Stop(stopping), "1 requests were not forwarded")
		require.Equal(t, 3*time.Second, time.Since(began))
		f.Offer(nil)
		require.EqualValues(t, 2, c.DroppedStopped.Load())
		require.Zero(t, c.QueuedBytes.Load())
		require.Zero(t, c.Forwarded.Load())
	})
}
