package profiles

import (
	"context"

	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/profiles/profilestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// taken keeps the spans of profiles.
type taken struct {
	spans []*tracepb.ResourceSpans
	// failures are what the next calls fail with.
	failures []error
	result   otlp.Result
}

// Ingest implements Spans.
func (k *taken) Ingest(_ context.Context, request []byte) (otlp.Result, error) {
	if len(k.failures) > 0 {
		err := k.failures[0]
		k.failures = k.failures[1:]
		if err != nil {
			return otlp.Result{}, err
		}
	}
	var all coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(request, &all); err != nil {
		return otlp.Result{}, err
	}
	k.spans = append(k.spans, all.ResourceSpans...)
	return k.result, nil
}

// profile is what all that was taken adds up to, what came twice once.
func (k *taken) profile(t *testing.T) *core.Snapshot {
	found, err := exporter.ReadSpans(k.spans)
	require.NoError(t, err)
	return core.Merge(found...)
}

// sums are the figures of a profile that add up exactly.
func sums(s *core.Snapshot) map[string][6]uint64 {
	all := map[string][6]uint64{}
	for _, b := range s.Blocks {
		all[b.Site.Name] = [6]uint64{b.Stats.Count, b.Stats.Errors, b.Stats.Total, b.Stats.Self, uint64(b.Pending), b.Stats.Max}
	}
	for _, n := range s.Nodes {
		all["node "+s.Blocks[n.Block].Site.Name] = [6]uint64{n.Stats.Count, n.Stats.Errors, n.Stats.Total, n.Stats.Self}
	}
	return all
}

// selfTimes are the self times of the blocks that have them one by one.
func selfTimes(s *core.Snapshot) map[string][]core.Bucket {
	all := map[string][]core.Bucket{}
	for _, b := range s.Blocks {
		if h := b.Stats.SelfHistogram; h != nil {
			all[b.Site.Name] = append(h.Buckets(), core.Bucket{Count: h.Zero})
		}
	}
	return all
}

// What a process keeps of its self times is passed on with the rest, and what it does not is not made up.
func TestSelfTimesArePassedOn(t *testing.T) {
	for _, temporality := range []metricdata.Temporality{metricdata.DeltaTemporality, metricdata.CumulativeTemporality} {
		for seed, want := range map[uint64]int{6: 2, 7: 0} {
			k := &taken{}
			s := New(k, Options{})
			p := profilestest.New(t, seed, temporality)
			take(t, s, p.Work())
			take(t, s, p.Work())
			require.Len(t, selfTimes(k.profile(t)), want)
			require.Equal(t, selfTimes(p.Snapshot()), selfTimes(k.profile(t)))

			direct := &taken{}
			for _, request := range profilestest.Spans(t, p.Snapshot()) {
				_, err := direct.Ingest(t.Context(), request)
				require.NoError(t, err)
			}
			require.Equal(t, selfTimes(p.Snapshot()), selfTimes(direct.profile(t)))
		}
	}
}

func take(t *testing.T, s *Sink, request []byte) {
	t.Helper()
	result, err := s.Ingest(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, otlp.Result{}, result)
}

func TestEveryWindowIsCountedOnce(t *testing.T) {
	for _, temporality := range []metricdata.Temporality{metricdata.DeltaTemporality, metricdata.CumulativeTemporality} {
		t.Run(temporality.String(), func(t *testing.T) {
			k := &taken{}
			s := New(k, Options{})
			p := profilestest.New(t, 1, temporality)
			for range 5 {
				request := p.Work()
				take(t, s, request)
				take(t, s, request) // the answer was lost
			}
			require.Equal(t, sums(p.Snapshot()), sums(k.profile(t)))
			for _, r := range k.spans {
				require.Equal(t, "shop-profile", r.Resource.Attributes[len(r.Resource.Attributes)-1].Value.GetStringValue())
			}
		})
	}
}

func TestWhatFailsIsTakenTheNextTime(t *testing.T) {
	for _, temporality := range []metricdata.Temporality{metricdata.DeltaTemporality, metricdata.CumulativeTemporality} {
		t.Run(temporality.String(), func(t *testing.T) {
			k := &taken{}
			s := New(k, Options{})
			p := profilestest.New(t, 2, temporality)
			take(t, s, p.Work())
			k.failures = []error{otlp.ErrOverloaded}
			request := p.Work()
			_, err := s.Ingest(t.Context(), request)
			require.ErrorIs(t, err, otlp.ErrOverloaded)
			take(t, s, request)
			require.Equal(t, sums(p.Snapshot()), sums(k.profile(t)))
		})
	}
}

func TestCumulativeProfileOfAnOlderProcessIsCountedFromThenOn(t *testing.T) {
	p := profilestest.New(t, 3, metricdata.CumulativeTemporality)
	request := p.Work()
	before := p.Snapshot()
	k := &taken{}
	s := New(k, Options{}) // the server is restarted: this was counted before
	take(t, s, request)
	require.Empty(t, k.spans)
	require.EqualValues(t, 1, s.Counters.Begun.Load())
	request = p.Work()
	take(t, s, request)
	window, err := p.Snapshot().Sub(before)
	require.NoError(t, err)
	have := sums(k.profile(t))
	for name, want := range sums(window) {
		got := have[name]
		require.Equal(t, want[:4], got[:4], name)
	}
	take(t, s, request)
	require.EqualValues(t, 1, s.Counters.Repeated.Load())
	require.EqualValues(t, 1, s.Counters.Taken.Load())
}

// TestForgottenProcessesAreNeverCountedTwice has room for one process and hears of two.
func TestForgottenProcessesAreNeverCountedTwice(t *testing.T) {
	k := &taken{}
	s := New(k, Options{MaxStates: 1})
	a, b := profilestest.New(t, 4, metricdata.CumulativeTemporality), profilestest.New(t, 5, metricdata.CumulativeTemporality)
	for range 3 {
		take(t, s, a.Work())
		take(t, s, b.Work())
	}
	most := sums(core.Merge(a.Snapshot(), b.Snapshot()))
	for name, got := range sums(k.profile(t)) {
		require.LessOrEqual(t, got[0], most[name][0], name)
	}
	require.Positive(t, s.Counters.Begun.Load())
	require.Len(t, s.states.known, 1)

	var forgotten atomic.Int64
	small := newStates(10, 3, time.Now(), &forgotten)
	for i := range int64(5) {
		small.set(small.take(key{start: i}), a.Snapshot()) // 2 blocks and 2 nodes each
	}
	require.Len(t, small.known, 1, "the one that alone is too large")
	require.EqualValues(t, 4, forgotten.Load())
}

func TestWhatIsNoProfileIsRefused(t *testing.T) {
	k := &taken{}
	s := New(k, Options{})
	_, err := s.Ingest(t.Context(), []byte("\x0a\xff"))
	require.ErrorIs(t, err, otlp.ErrMalformed)

	p := profilestest.New(t, 6, metricdata.DeltaTemporality)
	counter, err := p.Meter("other").Int64Counter("requests")
	require.NoError(t, err)
	counter.Add(t.Context(), 1)
	result, err := s.Ingest(t.Context(), p.Work())
	require.NoError(t, err)
	require.Equal(t, otlp.Result{Rejected: 1, Message: NotProfile}, result)
	require.Equal(t, sums(p.Snapshot()), sums(k.profile(t)))

	k.result = otlp.Result{Rejected: 1, Message: "too old"}
	result, err = s.Ingest(t.Context(), p.Work())
	require.NoError(t, err)
	require.Greater(t, result.Rejected, 1)
	require.Contains(t, []string{"too old", NotProfile}, result.Message)
	require.EqualValues(t, 1, s.Counters.Taken.Load())
}

func FuzzSink(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x0a\x02\x12\x00"))
	f.Add([]byte("\x0a\x35\x12\x33\x0a\x31\x0a\x2fgithub.com/stichotrope/stichotrope-go/exporter"))
	s := New(&taken{}, Options{})
	f.Fuzz(func(_ *testing.T, request []byte) {
		_, _ = s.Ingest(context.Background(), request) // an error is fine, a panic is not
	})
}

func TestAClientThatGoesAwayChangesNothing(t *testing.T) {
	k := &taken{}
	s := New(k, Options{})
	p := profilestest.New(t, 9, metricdata.CumulativeTemporality)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Ingest(gone, p.Work())
	require.NoError(t, err)
	take(t, s, p.Work())
	require.Equal(t, sums(p.Snapshot()), sums(k.profile(t)))
}
