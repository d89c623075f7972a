package main

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryContenderTakesOneTurnInEveryRound(t *testing.T) {
	b := &bench{progress: io.Discard}
	var turns []string
	log := func(name string) contender { return contender{name, func() { turns = append(turns, name) }} }
	r := b.compare([]contender{log("a"), log("b"), log("c")}, 8, time.Hour)
	require.Len(t, turns, 9*3, "8 rounds and one to warm up")
	orders := map[string]bool{}
	for i := 0; i < len(turns); i += 3 {
		require.ElementsMatch(t, []string{"a", "b", "c"}, turns[i:i+3])
		orders[turns[i]+turns[i+1]+turns[i+2]] = true
	}
	require.Greater(t, len(orders), 1, "the order must change")
	for _, name := range []string{"a", "b", "c"} {
		require.Len(t, r.cpu(name), 8)
		require.Len(t, r.wall(name), 8)
	}
}

func TestBudgetEndsTheRounds(t *testing.T) {
	b := &bench{progress: io.Discard}
	r := b.compare([]contender{{"a", func() {}}}, 1000, 0)
	require.Len(t, r.cpu("a"), minRounds)
}

func TestMeasureCountsAllocations(t *testing.T) {
	var keep [][]byte
	c := measure(func() {
		for range 1000 {
			keep = append(keep, make([]byte, 1<<10))
		}
	})
	require.GreaterOrEqual(t, c.objects, uint64(1000))
	require.GreaterOrEqual(t, c.bytes, uint64(1000<<10))
	require.Len(t, keep, 1000)
}

func TestRetainedIgnoresGarbage(t *testing.T) {
	var keep []byte
	size := retained(func() {
		for range 100 {
			keep = make([]byte, 1<<20)
		}
	})
	require.Len(t, keep, 1<<20)
	require.InDelta(t, 1<<20, size, 1<<18)
}
