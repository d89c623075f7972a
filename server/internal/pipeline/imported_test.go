package pipeline

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

// uploads remembers what an exporter sends.
type uploads struct{ all [][]*tracepb.ResourceSpans }

func (*uploads) Start(context.Context) error { return nil }
func (*uploads) Stop(context.Context) error  { return nil }
func (u *uploads) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	u.all = append(u.all, spans)
	return nil
}

// fixed is a profile that does not change.
type fixed struct{ s *core.Snapshot }

func (f fixed) Snapshot() *core.Snapshot { return f.s }

// inProcess returns a profile of a service as its own process sees it, and the requests by which it sends it.
func inProcess(t *testing.T) (*core.Snapshot, []byte) {
	agg, err := core.New(core.Config{Name: "shop"})
	require.NoError(t, err)
	root, child := agg.Label(core.Site{Track: "lib", Name: "GET /"}), agg.Label(core.Site{Track: "sql", Name: "SELECT"})
	for i := range 20 {
		agg.RecordTrace(core.TraceID{1, byte(i)}, []core.TraceSpan{
			{Label: root, Start: time.Now().UnixNano(), Duration: 5000 + int64(i), Self: 3000, Parent: -1, Span: core.SpanID{1}},
			{Label: child, Start: time.Now().UnixNano(), Duration: 2000, Self: 2000, Parent: 0, Span: core.SpanID{2}},
		})
	}
	time.Sleep(10 * time.Second) // of the bubble
	var sent uploads
	profile := agg.Snapshot()
	tracks, err := exporter.NewTracks(fixed{profile}, &sent, exporter.WithTracksCumulative(),
		exporter.WithTracksResource(resource.NewSchemaless(attribute.String("service.name", "shop"))))
	require.NoError(t, err)
	require.NoError(t, tracks.Start(t.Context()))
	require.NoError(t, tracks.ForceFlush(t.Context()))
	require.NotEmpty(t, sent.all)
	request, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: sent.all[0]})
	require.NoError(t, err)
	require.NoError(t, tracks.Shutdown(t.Context()))
	return profile, request
}

func TestProfileAsSpansIsCountedAsTheProfile(t *testing.T) {
	for _, only := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 11, Config{StatisticsOnly: only})
			profile, request := inProcess(t)
			profiled := time.Now()
			blocks := func() map[string]core.Stats {
				s, err := w.p.Live().Profile(t.Context(), store.Range{From: profiled.Add(-2 * time.Minute)})
				require.NoError(t, err)
				require.NoError(t, s.Validate())
				all := map[string]core.Stats{}
				for _, b := range s.Blocks {
					all[b.Site.Service+" "+b.Site.Name] = b.Stats
				}
				return all
			}
			for range 2 { // the answer to the first was lost
				_, err := w.p.Ingest(t.Context(), slices.Clone(request))
				require.NoError(t, err)
			}
			require.Empty(t, blocks(), "it may not be whole yet")
			time.Sleep(20 * time.Second)
			want := map[string]core.Stats{}
			for _, b := range profile.Blocks {
				want["shop-profile "+b.Site.Name] = b.Stats
			}
			have := blocks()
			require.Len(t, have, 2)
			for name, stats := range want {
				require.Equal(t, stats.Count, have[name].Count)
				require.Equal(t, stats.Self, have[name].Self)
				require.Equal(t, stats.Max, have[name].Max)
			}
			_, err := w.p.Ingest(t.Context(), slices.Clone(request)) // and again, much later
			require.NoError(t, err)
			time.Sleep(2 * time.Minute) // until it is committed
			require.NotZero(t, w.p.Counters().Commits)
			require.Equal(t, have, blocks())
			c := w.p.Counters()
			require.Equal(t, [2]uint64{1, 0}, [2]uint64{c.Profiles, c.ProfilesFailed})
			require.NoError(t, w.p.Close(t.Context()))
			require.Zero(t, w.p.Counters().Used)
			require.Equal(t, have, blocks())
		})
	}
}

func TestProfileThatIsNotWholeIsCountedNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 12, Config{})
		_, request := inProcess(t)
		var all coltracepb.ExportTraceServiceRequest
		require.NoError(t, proto.Unmarshal(request, &all))
		scope := all.ResourceSpans[0].ScopeSpans[0]
		scope.Spans = scope.Spans[:len(scope.Spans)-1]
		request, err := proto.Marshal(&all)
		require.NoError(t, err)
		_, err = w.p.Ingest(t.Context(), request)
		require.NoError(t, err)
		require.NoError(t, w.p.Close(t.Context()))
		s, err := w.p.Live().Profile(t.Context(), store.Range{})
		require.NoError(t, err)
		require.Empty(t, s.Blocks)
		require.EqualValues(t, 1, w.p.Counters().ProfilesFailed)
		size, err := w.p.Live().Size(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, len(scope.Spans), size.Spans, "they are kept")
	})
}

func TestImportedProfilesAreInOrder(t *testing.T) {
	agg, err := core.New(core.Config{})
	require.NoError(t, err)
	for _, service := range []string{"", "a", "a-b", "a-profile"} {
		agg.RecordTrace(core.TraceID{1}, []core.TraceSpan{{Label: agg.Label(core.Site{Service: service, Name: "n"}), Duration: 1, Parent: -1, Span: core.SpanID{1}}})
	}
	s := importedAs("z", agg.Snapshot())
	require.NoError(t, s.Validate())
	var services []string
	for _, b := range s.Blocks {
		services = append(services, b.Site.Service)
	}
	require.Equal(t, []string{"a-b-profile", "a-profile", "z-profile"}, services)
}

func TestTheSuffixStandsBeforeWhatServicesAreSplitBy(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a-profile", "a-profile": "a-profile", "a@1.2,prod": "a-profile@1.2,prod", "a-profile@1.2": "a-profile@1.2", "": "-profile",
	} {
		require.Equal(t, want, suffixed(name))
	}
}

func TestSplitsAreChecked(t *testing.T) {
	for _, split := range [][]string{{""}, {"service.name"}, make([]string, maxSplit+1)} {
		_, err := Open(t.Context(), Config{Store: memory.New(memory.Options{}), Split: split})
		require.ErrorContains(t, err, "split")
	}
}
