package clickhouse

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// Of a trace that is too large for the memory nothing is left but what nobody has counted yet: parts of the plan that are withheld.
func TestOversizedTracesStayInParts(t *testing.T) {
	part := func(trace byte, plan uint64, spans uint32, withheld bool) planned {
		return planned{partKey: partKey{trace: core.TraceID{trace}}, plan: plan, spans: spans, withheld: withheld}
	}
	whole := []planned{part(1, 7, maxWhole-1, true), part(1, 7, 1, false), part(3, 7, 5, false), part(3, 6, 5, true)}
	got := withoutOversized([]planned{
		whole[0], whole[1],
		part(2, 6, maxWhole, true), part(2, 7, 1, true), part(2, 7, 1, false),
		whole[2], whole[3],
	}, 7)
	alone := part(2, 7, 1, true)
	alone.oversized = true
	require.Equal(t, []planned{whole[0], whole[1], alone, whole[2], whole[3]}, got)
}

// A plan that was written and is not there is waited for, and passed over in the end. What else fails is never passed over.
func TestAPlanThatIsGoneIsPassedOver(t *testing.T) {
	s := &Store{options: Options{Logger: slog.New(slog.DiscardHandler)}}
	e := entry{done: 4, through: 9}
	for range 2 * maxMissing {
		next, more, err := s.passOver(e, errors.New("another"))
		require.EqualError(t, err, "another")
		require.Equal(t, e, next)
		require.False(t, more)
	}
	for range 2 {
		for range maxMissing - 1 {
			next, _, err := s.passOver(e, errPlanGone)
			require.ErrorIs(t, err, errPlanGone)
			require.Equal(t, e, next)
		}
		next, more, err := s.passOver(e, errPlanGone)
		require.NoError(t, err)
		require.True(t, more)
		require.Equal(t, entry{done: 5, through: 9}, next)
	}
}
