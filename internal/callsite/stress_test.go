package callsite_test

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/internal/callsite"
)

// comparing is a processor that compares finders with the oracle. Every span meets an old finder, which knows all
// addresses, and a new one, which resolves them in the middle of the walk and allocates while it does.
type comparing struct {
	processor
	old *callsite.Finder

	mu    sync.Mutex
	count int
	wrong []string
}

func (c *comparing) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	got, fresh, want := c.old.Span(), callsite.New(callsite.Options{}).Span(), oracle()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	for _, l := range []*callsite.Location{got, fresh} {
		if l == nil {
			c.wrong = append(c.wrong, "nothing found, want "+want.Function)
		} else if l.Function != want.Function || l.File != want.File || l.Line != want.Line {
			c.wrong = append(c.wrong, "found "+l.Function+", want "+want.Function)
		}
	}
}

// wander starts a span after a random way of n calls with small and large frames.
//
//go:noinline
func wander(rnd *rand.Rand, tr trace.Tracer, n int) {
	if n == 0 {
		visible := []func(trace.Tracer){plain, methodValue, functionVariable, nestedClosure, deferredClosure, panickingClosure, genericClosure[int], recursionOf3, reflectedCall}
		visible[rnd.IntN(len(visible))](tr)
		return
	}
	switch rnd.IntN(5) {
	case 0:
		descend(rnd.IntN(4), func() { wander(rnd, tr, n-1) })
	case 1:
		call(func() { wander(rnd, tr, n-1) })
	case 2:
		defer func() {
			_ = recover()
			wander(rnd, tr, n-1)
		}()
		panic("on purpose")
	case 3:
		defer wander(rnd, tr, n-1)
	default:
		wander(rnd, tr, n-1)
	}
}

func recursionOf3(tr trace.Tracer) { recursion(tr, 3) }

// 64 goroutines start spans at random depths. Their stacks begin small, grow on the way, and shrink whenever the
// garbage collector runs, which is nearly always.
func TestSpanConcurrentSafe(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	c := &comparing{old: callsite.New(callsite.Options{})}
	tr := tracerOf(growing{c})
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(g)))
			for range rounds {
				other := rand.New(rand.NewPCG(2, rnd.Uint64()))
				wg.Go(func() { wander(other, tr, 0) })
				wander(rnd, tr, rnd.IntN(60))
			}
		})
	}
	wg.Wait()
	require.Empty(t, c.wrong)
	require.Equal(t, 2*64*rounds, c.count)
	require.Zero(t, c.old.Unknown())
}
