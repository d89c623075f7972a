package callsite

import "sync/atomic"

// path is a run of return addresses that lead from a finder towards the user. It is never changed.
type path struct {
	// pcs[:n] are the addresses, innermost first.
	pcs [8]uintptr
	n   int
	// started is how many of them a walk must pass before it has passed the SDK.
	started int
}

// extend makes the path in start, which is p, longer by e. The first walks through a program do so until the path
// reaches the user; later walks that go another way share the beginning with it. A path that is full or was
// extended by somebody else stays as it is.
func (p *path) extend(start *atomic.Pointer[path], e *site) {
	if p.n == len(p.pcs) {
		return
	}
	longer := *p
	longer.pcs[p.n] = e.pc
	longer.n++
	if e.sdk {
		longer.started = min(p.started, longer.n)
	}
	start.CompareAndSwap(p, &longer)
}
