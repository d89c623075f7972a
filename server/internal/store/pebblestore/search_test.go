package pebblestore

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// storeOfManyBlocks has blocks of which most overlap others in time.
func storeOfManyBlocks(t *testing.T) (s *Store, all []storetest.Span) {
	s = openIn(t, nil, t.TempDir())
	for seed := range uint64(3) {
		g := storetest.NewGenerator(20 + seed)
		for range 6 {
			m := g.Segment(250) // some three chunks
			require.NoError(t, s.Commit(background, &m.Segment))
			all = append(all, m.Spans...)
		}
	}
	return s, all
}

// TestHelpersFindTheSame compares what is found with helpers and without with the truth.
func TestHelpersFindTheSame(t *testing.T) {
	s, all := storeOfManyBlocks(t)
	rng := rand.New(rand.NewPCG(3, 3))
	found := 0
	for range 100 {
		q := storetest.RandomQuery(rng, all)
		want := storetest.Search(all, q)
		for _, helpers := range []int{0, 1, 5} {
			s.helpers = make(chan struct{}, helpers)
			got, err := s.Search(background, q)
			require.NoError(t, err)
			require.Equal(t, want, got, "%d helpers: %+v", helpers, q)
			require.Empty(t, s.helpers, "all have gone")
		}
		found += min(1, len(want))
	}
	require.Greater(t, found, 40)
	require.NoError(t, s.Close())
}

// TestConcurrentSafeSearches lets several search at once, with fewer helpers than they could use.
func TestConcurrentSafeSearches(t *testing.T) {
	s, all := storeOfManyBlocks(t)
	s.helpers = make(chan struct{}, 2)
	var wait sync.WaitGroup
	for i := range uint64(4) {
		wait.Go(func() {
			rng := rand.New(rand.NewPCG(4, i))
			for range 25 {
				q := storetest.RandomQuery(rng, all)
				got, err := s.Search(background, q)
				if err != nil || len(got) != len(storetest.Search(all, q)) {
					t.Errorf("%+v: %d hits, %v", q, len(got), err)
				}
			}
		})
	}
	wait.Wait()
	require.Empty(t, s.helpers)
	require.NoError(t, s.Close())
}

// TestSearchEndsWithItsContext ends it while helpers are at work.
func TestSearchEndsWithItsContext(t *testing.T) {
	s, _ := storeOfManyBlocks(t)
	s.helpers = make(chan struct{}, 3)
	for after := range int64(20) {
		_, err := s.Search(&countedContext{Context: background, left: after}, &store.Query{})
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, s.helpers)
	}
	require.NoError(t, s.Close())
}

// countedContext is cancelled when it has been asked a number of times whether it is.
type countedContext struct {
	context.Context
	mu   sync.Mutex
	left int64
}

func (c *countedContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}
