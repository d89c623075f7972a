package clickhouse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// answers are the profiles of some periods, which begin and end within hours and with them.
func answers(t *testing.T, s *clickhouse.Store) (all []string) {
	at := func(d time.Duration) time.Time { return storetest.Epoch.Add(d) }
	for _, within := range []store.Range{
		{}, {From: at(time.Hour), To: at(3 * time.Hour)}, {From: at(20 * time.Minute), To: at(3*time.Hour + 7*time.Minute)},
	} {
		p, err := s.Profile(t.Context(), within)
		require.NoError(t, err)
		all = append(all, bits(t, p))
		for _, step := range []int{7, 60} {
			require.NoError(t, s.Profiles(t.Context(), within, step, func(_ int64, p *core.Snapshot) error {
				all = append(all, bits(t, p))
				return nil
			}))
		}
	}
	return all
}

func fill(t *testing.T, s *clickhouse.Store, seed uint64, from time.Duration, hours int) {
	g := storetest.NewGenerator(seed)
	g.Now, g.Gap = storetest.Epoch.Add(from).UnixNano(), int64(5*time.Minute)
	for range hours {
		m := g.Segment(12)
		m.AddProfiles()
		require.NoError(t, s.Commit(t.Context(), &m.Segment))
	}
	require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
}

func requireSameAnswers(t *testing.T, want, got []string) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.True(t, want[i] == got[i], "answer %d of %d", i, len(want))
	}
}

// TestHours reads whole hours from their own table. The answers are those of the minutes.
func TestHours(t *testing.T) {
	o := options(t, newDatabase(t))
	s, conn := open(t, o), connect(t, o.URL)
	fill(t, s, 1, 0, 4)
	fill(t, s, 2, 90*time.Minute, 2)
	got := answers(t, s)
	whole := store.Range{From: storetest.Epoch.Add(time.Hour), To: storetest.Epoch.Add(3 * time.Hour)}
	hours, err := s.Profile(t.Context(), whole)
	require.NoError(t, err)
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO otelprof_rollup (Since) VALUES (1000000000)"))
	want := answers(t, s) // by minutes
	requireSameAnswers(t, want, got)
	// They do come from there.
	require.NoError(t, conn.Exec(t.Context(), "ALTER TABLE otelprof_rollup DELETE WHERE Since = 1000000000 SETTINGS mutations_sync = 2"))
	require.NoError(t, conn.Exec(t.Context(), "ALTER TABLE otelprof_profile DELETE WHERE 1 SETTINGS mutations_sync = 2"))
	again, err := s.Profile(t.Context(), whole)
	require.NoError(t, err)
	require.NotEmpty(t, again.Nodes)
	require.True(t, bits(t, hours) == bits(t, again))
	require.NoError(t, s.Close())
}

// TestHoursAfterRetain forgets until the middle of an hour, of which the rest is read by minutes.
func TestHoursAfterRetain(t *testing.T) {
	o := options(t, newDatabase(t))
	s, conn := open(t, o), connect(t, o.URL)
	fill(t, s, 1, 0, 4)
	require.NoError(t, s.Retain(t.Context(), storetest.Epoch.Add(100*time.Minute), 0))
	got := answers(t, s)
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO otelprof_rollup (Since) VALUES (1000000000)"))
	requireSameAnswers(t, answers(t, s), got)
	var kept uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM otelprof_hours").Scan(&kept))
	require.NotZero(t, kept)
	require.NoError(t, s.Close())
}

// TestSchemaOneVersionOlder migrates tables of version 2 with a profile in them, which is read by minutes then.
func TestSchemaOneVersionOlder(t *testing.T) {
	o := options(t, newDatabase(t))
	s, conn := open(t, o), connect(t, o.URL)
	fill(t, s, 1, 0, 3)
	want := answers(t, s)
	require.NoError(t, s.Close())
	for _, statement := range []string{
		"DROP TABLE otelprof_hours_mv", "DROP TABLE otelprof_hours", "DROP TABLE otelprof_rollup", "DROP TABLE otelprof_parts",
		"DROP TABLE otelprof_plans", "DROP TABLE otelprof_journal", "ALTER TABLE otelprof_profile DROP COLUMN SquaresLess",
		"ALTER TABLE otel_traces DROP COLUMN OtelprofNode, DROP COLUMN OtelprofPart, DROP COLUMN OtelprofUncounted",
		"ALTER TABLE otelprof_schema DELETE WHERE Version = 3 SETTINGS mutations_sync = 2",
	} {
		require.NoError(t, conn.Exec(t.Context(), statement))
	}
	keep := o
	keep.KeepSchema = true
	_, err := clickhouse.Open(t.Context(), keep)
	require.ErrorIs(t, err, clickhouse.ErrSchema)
	s = open(t, o)
	requireSameAnswers(t, want, answers(t, s))
	fill(t, s, 2, 150*time.Minute, 3)
	var hours uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT uniq(Hour) FROM otelprof_hours").Scan(&hours))
	require.Greater(t, hours, uint64(1))
	got := answers(t, s)
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO otelprof_rollup (Since) VALUES (1000000000)"))
	requireSameAnswers(t, answers(t, s), got)
	require.NoError(t, s.Close())
}
