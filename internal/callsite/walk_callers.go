//go:build !gc || !(amd64 || arm64) || otelprof_nofp

package callsite

// canWalk is false where frames cannot be walked or shall not be: every walk uses runtime.Callers.
const canWalk = false

func walk(uintptr, *uintptr, int) (pc, next uintptr, matched int) { return 0, 0, 0 }

func walkWorks() bool { return false }
