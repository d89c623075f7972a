//go:build gc && (amd64 || arm64) && !otelprof_nofp

package callsite

import "runtime"

const canWalk = true

// walk reads the frame at the distance at, in bytes, above the frame of the function that calls walk, which has
// distance 0. It returns the return address in that frame and the distance of the next frame. As long as the
// return addresses equal those of known, of which there are n, it goes on to the next frame by itself; matched
// is how many it passed. pc is 0 when there is no frame at that distance: at the end of the stack, and when
// something is there that does not lie on the stack above the caller. All calls of one walk must come from the
// same call of one function.
//
//go:noescape
func walk(at uintptr, known *uintptr, n int) (pc, next uintptr, matched int)

// walkWorks compares walk with runtime.Callers. They differ only if this version of Go has other frames than
// those that walk was written for.
//
//go:noinline
func walkWorks() bool { return walkAgrees() }

//go:noinline
func walkAgrees() bool {
	var want [2]uintptr
	runtime.Callers(2, want[:])
	pc, next, _ := walk(0, nil, 0)
	if pc == 0 || pc != want[0] {
		return false
	}
	pc, _, _ = walk(next, nil, 0)
	return pc == want[1]
}
