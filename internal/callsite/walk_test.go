//go:build gc && (amd64 || arm64) && !otelprof_nofp

package callsite

import (
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// callersOf returns the return addresses above the function that calls it.
//
//go:noinline
func callersOf() []uintptr {
	pcs := make([]uintptr, 200)
	return pcs[:runtime.Callers(3, pcs)]
}

// walkAll walks from the caller to the end of the stack and calls between before each step.
//
//go:noinline
func walkAll(between func()) (pcs, want []uintptr) {
	want = callersOf()
	for at, pc := uintptr(0), uintptr(0); ; {
		between()
		pc, at, _ = walk(at, nil, 0)
		if pc == 0 {
			return pcs, want
		}
		pcs = append(pcs, pc)
	}
}

//go:noinline
func atDepth(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	atDepth(n-1, f)
	runtime.KeepAlive(n)
}

//go:noinline
func useStack(n int) {
	var frame [1024]byte
	if n > 0 {
		useStack(n - 1)
	}
	runtime.KeepAlive(&frame)
}

func TestWalkWorks(t *testing.T) { require.True(t, walkWorks()) }

// The stack moves between two steps of a walk: it grows, and the garbage collector shrinks it again.
func TestWalkSurvivesMovingStack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	done := make(chan [2][]uintptr)
	moves := 0
	go func() {
		var pcs, want []uintptr
		atDepth(40, func() {
			var here byte
			at := uintptr(unsafe.Pointer(&here))
			step := 0
			pcs, want = walkAll(func() {
				if step++; step%2 == 1 {
					useStack(20 * step)
				} else {
					runtime.GC()
				}
				if now := uintptr(unsafe.Pointer(&here)); now != at {
					at = now
					moves++
				}
			})
		})
		done <- [2][]uintptr{pcs, want}
	}()
	got := <-done
	require.Greater(t, moves, 4, "the stack did not move")
	require.Equal(t, got[1], got[0])
	require.Greater(t, len(got[0]), 40)
}

func TestWalkPassesKnownAddresses(t *testing.T) {
	type step struct {
		pc, next uintptr
		n        int
	}
	atDepth(10, func() {
		var s [8]step
		var known [2]uintptr
		for i := range s {
			// What to ask next depends on the answers so far.
			at, n := uintptr(0), 0
			switch i {
			case 1, 2:
				at = s[i-1].next
			case 3:
				known, n = [2]uintptr{s[0].pc, s[1].pc}, 2
			case 4:
				n = 1
			case 5:
				at, n = s[2].next, 2
			case 6:
				known[1]++
				n = 2
			case 7:
				known[0]++
				n = 2
			}
			s[i].pc, s[i].next, s[i].n = walk(at, &known[0], n)
		}
		require.Equal(t, step{s[2].pc, s[2].next, 2}, s[3], "passed both")
		require.Equal(t, step{s[1].pc, s[1].next, 1}, s[4], "passed as many as it was told")
		require.Zero(t, s[5].n, "started at another frame")
		require.Equal(t, step{s[1].pc, s[1].next, 1}, s[6], "the second one differs")
		require.Equal(t, step{s[0].pc, s[0].next, 0}, s[7], "the first one differs")
	})
}

// Whatever a frame contains, walk reads only the stack.
func TestWalkStaysOnStack(t *testing.T) {
	for _, at := range []uintptr{^uintptr(0), ^uintptr(15), 1 << 40, 1 << 63, uintptr(1)<<63 - 8, 1 << 26} {
		pc, _, n := walk(at, nil, 0)
		require.Zero(t, pc, "%#x", at)
		require.Zero(t, n)
	}
}
