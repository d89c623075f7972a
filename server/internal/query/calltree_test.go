package query_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// paths returns the spans by their path in the call tree, in which only the sites that keep says count.
func paths(spans []querytest.Span, keep func(core.Site) bool) map[string][]querytest.Span {
	out := map[string][]querytest.Span{}
	for _, trace := range querytest.Traces(spans) {
		byID := map[core.SpanID]*querytest.Span{}
		for i := range trace {
			byID[trace[i].ID] = &trace[i]
		}
		for _, s := range trace {
			if keep != nil && !keep(s.Site) {
				continue
			}
			path := []string{s.Site.String()}
			for p := byID[s.Parent]; p != nil; p = byID[p.Parent] {
				if keep == nil || keep(p.Site) {
					path = append(path, p.Site.String())
				}
			}
			slices.Reverse(path)
			key := strings.Join(path, " → ")
			out[key] = append(out[key], s)
		}
	}
	return out
}

func nodePath(s *core.Snapshot, i int) string {
	var path []string
	for _, site := range s.Path(i) {
		path = append(path, site.String())
	}
	return strings.Join(path, " → ")
}

func TestCallTreeAgainstTheSpans(t *testing.T) {
	e := newEngine()
	for _, service := range []string{"", querytest.Cart, querytest.Frontend, "nobody"} {
		got, err := e.CallTree(t.Context(), minutes(0, 5), service, 0)
		require.NoError(t, err)
		require.Zero(t, got.Dropped)
		require.NoError(t, got.Profile.Validate())
		want := paths(querytest.Spans(), query.Service(service))
		require.Len(t, got.Profile.Nodes, len(want))
		for i := range got.Profile.Nodes {
			checkStats(t, want[nodePath(got.Profile, i)], &got.Profile.Nodes[i].Stats)
		}
	}
}

func TestSelectLeavesOutWhatIsBetween(t *testing.T) {
	p, err := newEngine().Profile(t.Context(), store.Range{}, nil)
	require.NoError(t, err)
	for mask := range 1 << len(sites) { // every set of sites
		keep := func(s core.Site) bool { return mask>>slices.Index(sites, s)&1 == 1 }
		got := query.Select(p, keep)
		require.NoError(t, got.Validate())
		want := paths(querytest.Spans(), keep)
		require.Len(t, got.Nodes, len(want))
		for i := range got.Nodes {
			require.EqualValues(t, len(want[nodePath(got, i)]), got.Nodes[i].Stats.Count)
		}
	}
}

func TestCallTreeIsPruned(t *testing.T) {
	e := newEngine()
	all, err := e.CallTree(t.Context(), minutes(0, 5), "", 0)
	require.NoError(t, err)
	for limit := 1; limit < len(all.Profile.Nodes); limit++ {
		got, err := e.CallTree(t.Context(), minutes(0, 5), "", limit)
		require.NoError(t, err)
		require.Equal(t, len(all.Profile.Nodes), got.Dropped+len(got.Profile.Nodes))
		require.GreaterOrEqual(t, len(got.Profile.Nodes), limit)
		kept := map[string]core.Stats{}
		var least uint64 = 1 << 63
		for i := range got.Profile.Nodes {
			kept[nodePath(got.Profile, i)] = got.Profile.Nodes[i].Stats
			least = min(least, got.Profile.Nodes[i].Stats.Total)
		}
		for i := range all.Profile.Nodes {
			if stats, ok := kept[nodePath(all.Profile, i)]; ok {
				require.Equal(t, all.Profile.Nodes[i].Stats, stats)
			} else {
				require.LessOrEqual(t, all.Profile.Nodes[i].Stats.Total, least)
			}
		}
	}
}

func TestCriticalPathAddsUpToTheRoots(t *testing.T) {
	e := newEngine()
	got, err := e.CriticalPath(t.Context(), minutes(0, 5), "", 0)
	require.NoError(t, err)
	var roots, listed time.Duration
	for _, trace := range querytest.Traces(querytest.Spans()) {
		for _, s := range trace {
			if s.Parent == (core.SpanID{}) || s.Parent == querytest.SpanID(0xdead) {
				roots += s.Duration()
			}
		}
	}
	require.EqualValues(t, roots, got.Total)
	for i, b := range got.Blocks {
		listed += time.Duration(b.Stats.Critical)
		require.True(t, i == 0 || b.Stats.Critical <= got.Blocks[i-1].Stats.Critical)
	}
	require.Equal(t, roots, listed)
}

func TestServiceMapAgainstTheSpans(t *testing.T) {
	m, err := newEngine().ServiceMap(t.Context(), minutes(0, 5))
	require.NoError(t, err)
	calls, requests := map[string][]querytest.Span{}, map[string][]querytest.Span{}
	for _, trace := range querytest.Traces(querytest.Spans()) {
		service := map[core.SpanID]string{}
		for _, s := range trace {
			service[s.ID] = s.Site.Service
		}
		for _, s := range trace {
			caller, ok := service[s.Parent]
			if ok && caller != s.Site.Service {
				calls[caller+" → "+s.Site.Service] = append(calls[caller+" → "+s.Site.Service], s)
			}
			if caller != s.Site.Service {
				requests[s.Site.Service] = append(requests[s.Site.Service], s)
			}
		}
	}
	require.Len(t, m.Calls, len(calls))
	for _, c := range m.Calls {
		checkStats(t, calls[c.Caller+" → "+c.Callee], &c.Stats)
	}
	require.Len(t, m.Services, 3)
	for _, s := range m.Services {
		checkStats(t, requests[s.Name], &s.Requests)
		own := ended(minutes(0, 5), query.Service(s.Name))
		require.EqualValues(t, len(own), s.Spans)
		var self, critical time.Duration
		names := map[core.Site]bool{}
		for _, x := range own {
			self, critical = self+x.Self, critical+x.Critical
			names[x.Site] = true
		}
		require.Equal(t, []uint64{uint64(self), uint64(critical)}, []uint64{s.Self, s.Critical})
		require.Len(t, names, s.Operations)
	}
}
