package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// answers are the profiles of some periods, which begin and end within hours and with them, as some functions change them.
func answers(t *testing.T, s *clickhouse.Store, change ...func(*core.Snapshot)) (all []string) {
	add := func(p *core.Snapshot) {
		for _, f := range change {
			f(p)
		}
		all = append(all, bits(t, p))
	}
	at := func(d time.Duration) time.Time { return storetest.Epoch.Add(d) }
	for _, within := range []store.Range{
		{}, {From: at(time.Hour), To: at(3 * time.Hour)}, {From: at(20 * time.Minute), To: at(3*time.Hour + 7*time.Minute)},
	} {
		p, err := s.Profile(t.Context(), within)
		require.NoError(t, err)
		add(p)
		for _, step := range []int{7, 60} {
			require.NoError(t, s.Profiles(t.Context(), within, step, func(_ int64, p *core.Snapshot) error {
				add(p)
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

// older makes tables of an older version of those of this one.
func older(t *testing.T, conn driver.Conn, version int) {
	statements := []string{"DROP TABLE otelprof_hours_mv", "ALTER TABLE otelprof_profile DROP COLUMN SelfZero, DROP COLUMN SelfBuckets"}
	if version == 3 {
		statements = append(statements, "ALTER TABLE otelprof_hours DROP COLUMN SelfZero, DROP COLUMN SelfBuckets")
		made, err := clickhouse.Schema{}.Statements(3)
		require.NoError(t, err)
		view := slices.IndexFunc(made, func(s string) bool { return strings.Contains(s, "MATERIALIZED VIEW") })
		statements = append(statements, made[view])
	} else {
		statements = append(statements, "DROP TABLE otelprof_hours", "DROP TABLE otelprof_rollup", "DROP TABLE otelprof_parts",
			"DROP TABLE otelprof_plans", "DROP TABLE otelprof_journal", "ALTER TABLE otelprof_profile DROP COLUMN SquaresLess",
			"ALTER TABLE otel_traces DROP COLUMN OtelprofNode, DROP COLUMN OtelprofPart, DROP COLUMN OtelprofUncounted")
	}
	statements = append(statements, fmt.Sprintf("ALTER TABLE otelprof_schema DELETE WHERE Version > %d SETTINGS mutations_sync = 2", version))
	for _, statement := range statements {
		require.NoError(t, conn.Exec(t.Context(), statement))
	}
}

// TestOlderSchema migrates tables with a profile in them: version 2 knew no hours, version 3 no histograms of self times.
func TestOlderSchema(t *testing.T) {
	for version := 2; version <= 3; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			o := options(t, newDatabase(t))
			s, conn := open(t, o), connect(t, o.URL)
			fill(t, s, 1, 0, 3)
			want := answers(t, s, withoutSelfTimes)
			require.NoError(t, s.Close())
			older(t, conn, version)
			keep := o
			keep.KeepSchema = true
			_, err := clickhouse.Open(t.Context(), keep)
			require.ErrorIs(t, err, clickhouse.ErrSchema)
			s = open(t, o)
			requireSameAnswers(t, want, answers(t, s))
			fill(t, s, 2, 150*time.Minute, 3)
			var hours, known uint64
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT uniq(Hour), uniqIf(Hour, notEmpty(SelfBuckets)) FROM otelprof_hours").Scan(&hours, &known))
			require.Greater(t, hours, uint64(1))
			require.Greater(t, known, uint64(1))
			got := answers(t, s)
			require.NoError(t, conn.Exec(t.Context(), "INSERT INTO otelprof_rollup (Since) VALUES (1000000000)"))
			requireSameAnswers(t, answers(t, s), got)
			require.NoError(t, s.Close())
		})
	}
}

// withoutSelfTimes forgets the histograms of self times.
func withoutSelfTimes(p *core.Snapshot) {
	for i := range p.Blocks {
		p.Blocks[i].Stats.SelfHistogram = nil
	}
	for i := range p.Nodes {
		p.Nodes[i].Stats.SelfHistogram = nil
	}
}
