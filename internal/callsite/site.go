package callsite

import "runtime"

// site is what an address in the program means to a walk over the stack. Because of inlining one address can
// stand for several frames, and which of them counts depends on whether the walk has passed the SDK yet.
type site struct {
	pc uintptr
	// first is the innermost user frame. It is nil when there is none: the walk goes on.
	first *Location
	// started is the innermost user frame outside an SDK frame of the same address. It is nil when there is none.
	started *Location
	// sdk says that an SDK frame is among the frames.
	sdk bool
}

// found returns the location at which the walk ends, or nil. passed says whether it has passed the SDK already.
func (s *site) found(passed bool) *Location {
	if passed {
		return s.first
	}
	return s.started
}

// siteOf judges the frames at pc, innermost first.
func siteOf(pc uintptr, frames []runtime.Frame, skip []string) site {
	s := site{pc: pc}
	for _, f := range frames {
		switch ownerOf(f, skip) {
		case sdk:
			s.sdk = true
		case user:
			l := &Location{Function: plainName(f.Function), File: f.File, Line: f.Line}
			if s.first == nil {
				s.first = l
			}
			if s.sdk && s.started == nil {
				s.started = l
			}
		}
	}
	return s
}
