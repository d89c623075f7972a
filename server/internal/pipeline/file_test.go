package pipeline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

// unpacking counts how many requests are unpacked for commits.
type unpacking struct {
	store.Store
	requests int
}

func (u *unpacking) Commit(ctx context.Context, g *store.Segment) error {
	u.requests += len(g.Consumed)
	return u.Store.Commit(ctx, g)
}

func TestWhatCameTogetherIsFiledTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests = 100
		facts, kept := newFacts(1), &unpacking{Store: memory.New(memory.Options{})}
		p, err := Open(t.Context(), Config{Store: kept, SegmentSpans: 400, TraceGrace: time.Hour, TraceIdle: time.Hour})
		require.NoError(t, err)
		for range requests {
			var list []fact
			for range 20 {
				list = append(list, facts.trace(10, time.Now())...)
			}
			_, err := p.Ingest(t.Context(), requestOf(list))
			require.NoError(t, err)
			time.Sleep(2 * slice)
		}
		require.NoError(t, p.Close(t.Context()))
		require.EqualValues(t, requests*200, p.Counters().Filed)
		require.LessOrEqual(t, kept.requests, 2*requests, "a segment has two requests")
	})
}
