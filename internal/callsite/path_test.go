package callsite

import (
	"testing"

	"github.com/stretchr/testify/require"
)

//go:noinline
func learnHere(f *Finder) *Location { return f.Block() }

//go:noinline
func learnAbove(f *Finder) *Location { return learnHere(f) }

//go:noinline
func learnElsewhere(f *Finder) *Location { return f.Block() }

//go:noinline
func learnAboveElsewhere(f *Finder) *Location { return learnElsewhere(f) }

// A path grows at its end only, by the walks that passed all of it.
func TestPathExtends(t *testing.T) {
	needInlining(t)
	if !canWalk {
		t.Skip("this platform does not walk")
	}
	f := New(Options{Skip: []string{module + "/internal/callsite.learn"}})
	for _, c := range []struct {
		start func(*Finder) *Location
		grow  int
	}{
		{learnHere, 1}, {learnHere, 0}, {learnElsewhere, 0}, {learnAboveElsewhere, 0}, {learnAbove, 1}, {learnAbove, 0},
		{learnAboveElsewhere, 0}, {learnHere, 0}, {learnElsewhere, 0},
	} {
		before := f.block.Load().n
		require.Equal(t, module+"/internal/callsite.TestPathExtends", c.start(f).Function)
		require.Equal(t, before+c.grow, f.block.Load().n)
	}
}

func TestPathIsBounded(t *testing.T) {
	f := New(Options{})
	for i := range 20 {
		f.span.Load().extend(&f.span, &site{pc: uintptr(i + 1), sdk: i == 3})
	}
	p := f.span.Load()
	require.Equal(t, path{pcs: [8]uintptr{1, 2, 3, 4, 5, 6, 7, 8}, n: 8, started: 4}, *p)
	(&path{}).extend(&f.span, &site{pc: 9})
	require.Same(t, p, f.span.Load(), "somebody else was first")
}
