package exporter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/stichotrope/stichotrope-go/core"
)

// startTracks returns a running Tracks, shut down at the end of the test, and the errors that it handled.
func startTracks(t *testing.T, src Source, c *fakeClient, opts ...TracksOption) (*Tracks, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	handle := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, err.Error())
	}
	errs := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
	opts = append([]TracksOption{WithTracksErrorHandler(handle)}, opts...)
	tracks, err := NewTracks(src, c, opts...)
	require.NoError(t, err)
	require.NoError(t, tracks.Start(t.Context()))
	return tracks, errs
}

func counts(profiles []*core.Snapshot) []uint64 {
	out := []uint64{}
	for _, s := range profiles {
		out = append(out, s.Total().Count)
	}
	return out
}

func newShop(t *testing.T) (*core.Aggregator, func(n int)) {
	a, err := core.New(core.Config{Name: "shop"})
	require.NoError(t, err)
	label := a.Label(core.Site{Track: "http", Name: "GET"})
	return a, func(n int) {
		for range n {
			a.Record(label, &core.Observation{Start: 1, Duration: 5})
		}
	}
}

func TestTracksReportsWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, record := newShop(t)
		c := &fakeClient{}
		tracks, errs := startTracks(t, a, c, WithTracksInterval(10*time.Second))
		record(3)
		time.Sleep(10*time.Second + 1)
		require.Equal(t, []uint64{3}, counts(c.profiles(t)))
		time.Sleep(20 * time.Second) // nothing happens
		record(4)
		require.NoError(t, tracks.ForceFlush(t.Context()))
		require.Equal(t, []uint64{3, 4}, counts(c.profiles(t)))
		record(5)
		require.NoError(t, tracks.Shutdown(t.Context()))
		got := c.profiles(t)
		require.Equal(t, []uint64{3, 4, 5}, counts(got))
		require.Equal(t, got[1].End, got[2].Start)
		requireSameProfile(t, a.Snapshot().Merge(nil), withEnd(core.Merge(got...), a.Snapshot()))
		require.Equal(t, TracksStats{Reports: 3, Idle: 2}, tracks.Stats())
		require.Equal(t, temporalityDelta, c.windowAttribute(t, attrTemporality))
		require.Nil(t, c.windowAttribute(t, attrUndelivered))
		require.Empty(t, errs())
		require.Equal(t, 1, c.stopped)
	})
}

// withEnd returns s as if it had been taken when o was.
func withEnd(s, o *core.Snapshot) *core.Snapshot {
	out := *s
	out.End = o.End
	return &out
}

func TestTracksCumulative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, record := newShop(t)
		c := &fakeClient{}
		tracks, _ := startTracks(t, a, c, WithTracksCumulative())
		record(3)
		require.NoError(t, tracks.ForceFlush(t.Context()))
		record(4)
		require.NoError(t, tracks.Shutdown(t.Context()))
		require.Equal(t, []uint64{3, 7}, counts(c.profiles(t)))
		require.Equal(t, temporalityCumulative, c.windowAttribute(t, attrTemporality))
	})
}

// TestTracksOutage: no aggregate is lost while the backend is down, and the window after it says so.
func TestTracksOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, record := newShop(t)
		c := &fakeClient{}
		tracks, errs := startTracks(t, a, c, WithTracksInterval(time.Second), WithTracksTimeout(100*time.Millisecond))
		record(1)
		time.Sleep(time.Second + 1)
		faults := []func(context.Context) error{
			func(context.Context) error { return errors.New("connection refused") },
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			func(context.Context) error { panic("client bug") },
			func(context.Context) error { return partialSuccess{"2 rejected", 2, "spans"} },
		}
		for _, fault := range faults {
			c.answer(fault)
			record(10)
			time.Sleep(time.Second)
		}
		require.Equal(t, uint64(4), tracks.Stats().Failures)
		require.Equal(t, []uint64{1}, counts(c.profiles(t)))
		for i, want := range []string{"connection refused", "no answer after 100ms", "panic: client bug", "2 rejected"} {
			require.Contains(t, errs()[i], want)
			require.True(t, strings.HasPrefix(errs()[i], "tracks: report: "), errs()[i])
		}
		c.answer(nil)
		record(100)
		time.Sleep(time.Second)
		got := c.profiles(t)
		require.Equal(t, []uint64{1, 140}, counts(got))
		require.Equal(t, got[0].End, got[1].Start)
		require.Equal(t, int64(4), c.windowAttribute(t, attrUndelivered))
		record(1)
		require.NoError(t, tracks.Shutdown(t.Context()))
		require.Nil(t, c.windowAttribute(t, attrUndelivered))
		require.Equal(t, []uint64{1, 140, 1}, counts(c.profiles(t)))
	})
}

func TestTracksWarningIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, record := newShop(t)
		c := &fakeClient{upload: func(context.Context) error { return partialSuccess{RejectedKind: "spans"} }}
		tracks, errs := startTracks(t, a, c)
		record(1)
		require.NoError(t, tracks.Shutdown(t.Context()))
		require.Equal(t, TracksStats{Reports: 1}, tracks.Stats())
		require.Len(t, errs(), 1)
		require.Contains(t, errs()[0], "the backend warns")
	})
}

func TestTracksStartsAnewAfterReset(t *testing.T) {
	for name, reset := range map[string]func(*core.Aggregator){"reset": (*core.Aggregator).Reset, "clear": (*core.Aggregator).Clear} {
		for _, opts := range [][]TracksOption{nil, {WithTracksCumulative()}} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, record := newShop(t)
					c := &fakeClient{}
					tracks, _ := startTracks(t, a, c, opts...)
					record(3)
					require.NoError(t, tracks.ForceFlush(t.Context()))
					time.Sleep(time.Second)
					reset(a)
					record(2)
					time.Sleep(time.Second)
					require.NoError(t, tracks.ForceFlush(t.Context()))
					require.Equal(t, []uint64{3, 2}, counts(c.profiles(t)))
					require.Contains(t, c.windowAttribute(t, attrRestarted), "the profile started anew")
					require.NoError(t, tracks.Shutdown(t.Context()))
					require.Equal(t, uint64(1), tracks.Stats().Restarts)
				})
			})
		}
	}
}

func TestTracksSurvivesItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var healed atomic.Bool
		c := &fakeClient{}
		tracks, _ := startTracks(t, sourceFunc(func() *core.Snapshot {
			if !healed.Load() {
				panic("source bug")
			}
			return nil
		}), c)
		require.ErrorContains(t, tracks.ForceFlush(t.Context()), "panic: source bug")
		healed.Store(true)
		require.NoError(t, tracks.ForceFlush(t.Context()))
		require.NoError(t, tracks.Shutdown(t.Context()))
		require.Empty(t, c.delivered)
		require.Equal(t, TracksStats{Failures: 1, Idle: 2}, tracks.Stats())
	})
}

// TestTracksDeadlines: calls return when their context is done even if the client heeds nothing.
func TestTracksDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, record := newShop(t)
		hang := make(chan struct{})
		c := &fakeClient{upload: func(context.Context) error { <-hang; return nil }}
		tracks, _ := startTracks(t, a, c, WithTracksErrorHandler(func(error) { panic("handler bug") }))
		record(1)
		within := func(call func(context.Context) error) {
			t.Helper()
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded)
			require.Equal(t, time.Second, time.Since(begin))
		}
		within(tracks.ForceFlush)
		within(tracks.ForceFlush) // the goroutine is busy
		within(tracks.Shutdown)
		within(tracks.Shutdown)
		within(tracks.ForceFlush)
		close(hang)
		synctest.Wait()
		require.ErrorIs(t, tracks.Shutdown(t.Context()), context.DeadlineExceeded, "the last report was late")
		require.NoError(t, tracks.ForceFlush(t.Context()))
		require.Equal(t, 1, c.stopped)
	})
}

// TestTracksShutdownCancelsTheUpload: the goroutine of a client that heeds its context ends soon after the deadline.
func TestTracksShutdownCancelsTheUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, record := newShop(t)
		c := &fakeClient{upload: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		tracks, _ := startTracks(t, a, c, WithTracksInterval(time.Second), WithTracksTimeout(time.Hour))
		record(1)
		time.Sleep(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, tracks.Shutdown(ctx), context.DeadlineExceeded)
		<-tracks.done
	})
}

func TestTracksStart(t *testing.T) {
	a, _ := newShop(t)
	fail := errors.New("no route")
	c := &fakeClient{start: func() error { return fail }, stop: func() error { return errors.New("stuck") }}
	tracks, err := NewTracks(a, c)
	require.NoError(t, err)
	require.ErrorIs(t, tracks.ForceFlush(t.Context()), errTracksIdle)
	require.ErrorIs(t, tracks.Start(t.Context()), fail)
	c.start = func() error { panic("client bug") }
	require.ErrorContains(t, tracks.Start(t.Context()), "panic: client bug")
	c.start = nil
	require.NoError(t, tracks.Start(t.Context()))
	require.ErrorIs(t, tracks.Start(t.Context()), errTracksStarted)
	require.ErrorContains(t, tracks.Shutdown(t.Context()), "stop client: stuck")

	idle, err := NewTracks(a, c)
	require.NoError(t, err)
	require.NoError(t, idle.Shutdown(t.Context()))
	require.NoError(t, idle.Shutdown(t.Context()))
	require.NoError(t, idle.ForceFlush(t.Context()))
	require.ErrorIs(t, idle.Start(t.Context()), errTracksStarted)

	during, err := NewTracks(a, c)
	require.NoError(t, err)
	c.stopped, c.stop = 0, nil
	c.start = func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return errors.Join(during.ForceFlush(ctx), during.Shutdown(ctx), nil)
	}
	require.ErrorContains(t, during.Start(t.Context()), "shut down during Start")
	require.NoError(t, during.Shutdown(t.Context()))
}

func TestTracksShutdownDuringStartStopsTheClient(t *testing.T) {
	a, _ := newShop(t)
	c := &fakeClient{}
	tracks, err := NewTracks(a, c)
	require.NoError(t, err)
	c.start = func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = tracks.Shutdown(ctx)
		return nil
	}
	require.ErrorContains(t, tracks.Start(t.Context()), "shut down during Start")
	require.Equal(t, 1, c.stopped)
}

func TestTracksConcurrentSafe(t *testing.T) {
	a, record := newShop(t)
	c := &fakeClient{}
	tracks, _ := startTracks(t, a, c, WithTracksInterval(time.Millisecond))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				record(3)
				_ = tracks.ForceFlush(t.Context())
				_ = tracks.Stats()
			}
			_ = tracks.Shutdown(t.Context())
		})
	}
	wg.Wait()
	var delivered uint64
	for _, n := range counts(c.profiles(t)) {
		delivered += n
	}
	require.LessOrEqual(t, delivered, uint64(120))
	require.GreaterOrEqual(t, delivered, uint64(30), "what one goroutine recorded before any Shutdown")
	require.Equal(t, 1, c.stopped)
}

func TestTracksOptions(t *testing.T) {
	a, _ := newShop(t)
	_, err := NewTracks(nil, nil, nil, WithTracksInterval(0), WithTracksTimeout(-1), WithTracksMaxNodes(15), WithTracksMaxDetailed(-1), WithTracksMaxNodes(16), WithTracksErrorHandler(nil))
	for _, want := range []string{"interval is 0s, want at least 1ms", "timeout is -1ns", "maximum of nodes is 15, want at least 16", "maximum of detailed nodes is -1, want at least 0", "no source", "no client"} {
		require.ErrorContains(t, err, want)
	}
	r := resource.NewSchemaless(
		attribute.String("service.name", "shop\xff"), attribute.Bool("b", true), attribute.Int("i", 1), attribute.Float64("f", 0.5),
		attribute.BoolSlice("bs", []bool{true}), attribute.IntSlice("is", []int{1, 2}), attribute.Float64Slice("fs", []float64{1}),
		attribute.StringSlice("ss", []string{"x"}), attribute.String("s\xff", "y"),
	)
	for name, opts := range map[string][]TracksOption{
		"shop\uFFFD-profile": {WithTracksResource(r)},
		"shop\uFFFD":         {WithTracksResource(r), WithTracksServiceSuffix("")},
		"other":              {WithTracksResource(r), WithTracksServiceName("other")},
	} {
		tracks, err := NewTracks(a, &fakeClient{}, opts...)
		require.NoError(t, err)
		got := map[string]string{}
		for _, kv := range tracks.resource.Attributes {
			got[kv.Key] = strings.Join(strings.Fields(kv.Value.String()), " ")
		}
		require.Len(t, got, 10)
		require.Contains(t, got["service.name"], name)
		require.Contains(t, got, "otelprof.service.name")
		require.Contains(t, got, "s\uFFFD")
	}
	tracks, err := NewTracks(a, &fakeClient{}, WithTracksResource(resource.Empty()))
	require.NoError(t, err)
	require.Equal(t, "unknown_service-profile", tracks.resource.Attributes[0].Value.GetStringValue())
}

// The nodes with the greatest totals show their mean and quantiles. All are read back alike.
func TestTracksMaxDetailed(t *testing.T) {
	for n, want := range map[int][]string{0: {}, 1: {"long"}, 2: {"long", "medium"}, 9: {"long", "medium", "short"}} {
		a, err := core.New(core.Config{})
		require.NoError(t, err)
		for i, name := range []string{"short", "long", "medium"} {
			for k := range 20 {
				d := []int64{1e3, 1e6, 1e5}[i] + int64(k)
				a.Record(a.Label(core.Site{Track: "t", Name: name}), &core.Observation{Duration: d})
			}
		}
		c := &fakeClient{}
		tracks, _ := startTracks(t, a, c, WithTracksMaxDetailed(n))
		require.NoError(t, tracks.Shutdown(t.Context()))
		detailed := []string{}
		for _, span := range c.delivered[0][0].ScopeSpans[0].Spans {
			keys := map[string]bool{}
			for _, kv := range span.Attributes {
				keys[kv.Key] = true
			}
			if roleOf(span) != roleNode {
				continue
			}
			require.True(t, keys[attrCount] && keys[attrTotal] && keys[attrSelf] && keys[attrMin] && keys[attrMax], span.Name)
			require.Equal(t, keys[attrMean], keys["otelprof.p95"], span.Name)
			if keys[attrMean] {
				detailed = append(detailed, span.Name)
			}
		}
		require.ElementsMatch(t, want, detailed)
		requireSameProfile(t, withEnd(a.Snapshot(), c.profiles(t)[0]), c.profiles(t)[0])
	}
}

func TestTracksIDSeed(t *testing.T) {
	ids := func() (out []string) {
		a, record := newShop(t)
		c := &fakeClient{}
		tracks, _ := startTracks(t, a, c, WithTracksIDSeed(7))
		for range 2 {
			record(1)
			require.NoError(t, tracks.ForceFlush(t.Context()))
		}
		require.NoError(t, tracks.Shutdown(t.Context()))
		for _, spans := range c.delivered {
			for _, span := range spans[0].ScopeSpans[0].Spans {
				out = append(out, string(span.TraceId)+string(span.SpanId))
			}
		}
		return out
	}
	first := ids()
	require.Equal(t, first, ids())
	require.NotEqual(t, first[0], first[len(first)-1])
}

// TestTracksSplitsRequests: no request is larger than receivers take, and the window's span comes last.
func TestTracksSplitsRequests(t *testing.T) {
	a, err := core.New(core.Config{})
	require.NoError(t, err)
	for i := range 4000 {
		name := strings.Repeat("x", 1000) + string(rune(1000+i))
		a.Record(a.Label(core.Site{Track: "t", Name: name, File: name}), &core.Observation{Duration: int64(i)})
	}
	c := &fakeClient{}
	tracks, _ := startTracks(t, a, c)
	require.NoError(t, tracks.Shutdown(t.Context()))
	require.Greater(t, len(c.delivered), 2)
	n := 0
	for i, spans := range c.delivered {
		n += len(spans[0].ScopeSpans[0].Spans)
		require.Less(t, encodedSize(t, spans), 4<<20)
		last := spans[0].ScopeSpans[0].Spans[len(spans[0].ScopeSpans[0].Spans)-1]
		require.Equal(t, i == len(c.delivered)-1, roleOf(last) == roleWindow)
	}
	require.Equal(t, 4002, n)
	requireSameProfile(t, withEnd(a.Snapshot(), c.profiles(t)[0]), c.profiles(t)[0])
}
