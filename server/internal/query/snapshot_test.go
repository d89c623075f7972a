package query_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestSnapshotsAreSavedAndDeleted(t *testing.T) {
	e := newEngine()
	p, err := e.Profile(t.Context(), minutes(0, 3), nil)
	require.NoError(t, err)
	for _, name := range []string{"b", "a.1_x-Y", strings.Repeat("n", 128)} {
		require.NoError(t, e.SaveSnapshot(t.Context(), name, p))
		got, err := e.Snapshot(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
	list, err := e.Snapshots(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, []string{"a.1_x-Y", "b"}, []string{list[0].Name, list[1].Name})
	require.NoError(t, e.DeleteSnapshot(t.Context(), "b"))
	var asked *query.Error
	_, err = e.Snapshot(t.Context(), "b")
	require.ErrorAs(t, err, &asked)
	require.Equal(t, query.NotFound, asked.Kind)
	require.ErrorAs(t, e.DeleteSnapshot(t.Context(), "b"), &asked)
	require.Equal(t, query.NotFound, asked.Kind)
	for _, name := range []string{"", ".", "..", "a/b", "-a", "a b", "ä", strings.Repeat("n", 129), "a\n"} {
		require.ErrorAs(t, e.SaveSnapshot(t.Context(), name, p), &asked, name)
		require.Equal(t, query.Invalid, asked.Kind)
	}
}

func TestDiffOfPeriodsAndSnapshots(t *testing.T) {
	e := newEngine()
	p, err := e.Profile(t.Context(), minutes(0, 3), nil)
	require.NoError(t, err)
	require.NoError(t, e.SaveSnapshot(t.Context(), "before", p))
	after := query.Operand{Within: minutes(3, 5)}
	byPeriod, err := e.Diff(t.Context(), query.Operand{Within: minutes(0, 3)}, after, "", core.DiffOptions{})
	require.NoError(t, err)
	bySnapshot, err := e.Diff(t.Context(), query.Operand{Snapshot: "before"}, after, "", core.DiffOptions{})
	require.NoError(t, err)
	require.Len(t, bySnapshot.Blocks, len(byPeriod.Blocks))
	for i, c := range byPeriod.Blocks {
		other := bySnapshot.Blocks[i]
		require.Equal(t, []any{c.Site, c.Verdict, c.Durations, c.Impact, c.Mean}, []any{other.Site, other.Verdict, other.Durations, other.Impact, other.Mean})
	}
	require.True(t, byPeriod.Regressed())
	verdicts := map[core.Site]core.Verdict{}
	for _, c := range byPeriod.Blocks {
		verdicts[c.Site] = c.Verdict
	}
	require.Equal(t, core.Regression, verdicts[querytest.Select], "it takes twice as long")
	require.Equal(t, core.Unchanged, verdicts[querytest.Render])

	// Every change of a path is at the node of this path.
	require.NoError(t, byPeriod.Union.Validate())
	n := 0
	for i, c := range byPeriod.Paths {
		if c != nil {
			require.Equal(t, c.Path, byPeriod.Union.Path(i))
			require.Equal(t, c.Before.Count+c.After.Count, byPeriod.Union.Nodes[i].Stats.Count)
			n++
		}
	}
	require.Equal(t, len(byPeriod.Nodes), n)

	cart, err := e.Diff(t.Context(), query.Operand{Snapshot: "before"}, after, querytest.Cart, core.DiffOptions{MinCount: 1000})
	require.NoError(t, err)
	require.Len(t, cart.Blocks, 2)
	require.Equal(t, core.Inconclusive, cart.Blocks[0].Verdict)
	_, err = e.Diff(t.Context(), query.Operand{Snapshot: "other"}, after, "", core.DiffOptions{})
	require.ErrorContains(t, err, `"other"`)
}

func TestProfileCoversThePeriodAskedFor(t *testing.T) {
	e := newEngine()
	p, err := e.Profile(t.Context(), store.Range{}, nil)
	require.NoError(t, err)
	require.Equal(t, querytest.Epoch, p.Start)
	require.NoError(t, p.Validate())
	p, err = engine(querytest.New(nil)).Profile(t.Context(), store.Range{To: now}, nil)
	require.NoError(t, err)
	require.True(t, p.Start.IsZero() && p.End.IsZero(), "nothing has no period")
	names, err := e.Services(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{querytest.Cart, querytest.Frontend, querytest.Payment}, names)
	operations, err := e.Operations(t.Context(), querytest.Cart)
	require.NoError(t, err)
	require.Equal(t, []store.Operation{{Service: querytest.Cart, Name: "AddItem", Kind: core.KindServer},
		{Service: querytest.Cart, Name: "SELECT items", Kind: core.KindClient}}, operations)
}
