package callsite

import (
	"runtime"
	"slices"
	"sync/atomic"
)

// maxDepth bounds how many frames can lie between a finder and the user.
const maxDepth = 32

// Options say how a [Finder] works. The zero value is good for most programs.
type Options struct {
	// Skip are prefixes of function names, as the runtime writes them, whose frames do not count as the user's:
	// a package of tracing helpers ("example.com/acme/tracing."), or one wrapper ("example.com/acme/db.(*Conn).").
	// The frames of OpenTelemetry and of this module are skipped always.
	Skip []string
	// Callers selects runtime.Callers even where frame pointers could be followed.
	Callers bool
}

// Finder finds where spans and blocks are started. It is safe for concurrent use and allocates only when it
// meets an address for the first time.
type Finder struct {
	skip  []string
	walks bool // by frame pointers
	sites table
	// span and block are the addresses that walks passed before they came to the user.
	span, block atomic.Pointer[path]
	unknown     atomic.Uint64
}

// New returns a Finder. Empty prefixes in o.Skip, which would skip everything, are ignored.
func New(o Options) *Finder {
	f := &Finder{
		skip:  slices.DeleteFunc(slices.Clone(o.Skip), func(s string) bool { return s == "" }),
		walks: canWalk && !o.Callers && walkWorks(),
	}
	f.sites.init()
	f.span.Store(&path{started: maxDepth})
	f.block.Store(&path{})
	return f
}

// FramePointers reports whether the finder follows frame pointers. If not, it uses runtime.Callers.
func (f *Finder) FramePointers() bool { return f.walks }

// Unknown returns how many searches found nothing.
func (f *Finder) Unknown() uint64 { return f.unknown.Load() }

// Span returns where the user called Start on a tracer. It must be called from the OnStart of a span processor,
// directly or not: processors that wrap others are passed over. It returns nil when it finds no user frame above
// the SDK among the nearest 32 frames.
func (f *Finder) Span() *Location { return f.find(&f.span, false) }

// Block returns where the user called a function of the package otelprof. It must be called from that package,
// directly or not. It returns nil when it finds no user frame among the nearest 32.
func (f *Finder) Block() *Location { return f.find(&f.block, true) }

// find walks up the stack to the first user frame, or if passed is false, to the first user frame above the SDK.
// The frames below it are nearly always the same. So walk passes them by comparing addresses, and one search in
// the table remains: that for the user's own address.
//
//go:noinline
func (f *Finder) find(start *atomic.Pointer[path], passed bool) *Location {
	if !f.walks {
		return f.findByCallers(passed)
	}
	p := start.Load()
	pc, next, n := walk(0, &p.pcs[0], p.n)
	above := passed || n >= p.started
	for depth := n; pc != 0 && depth < maxDepth; depth++ {
		e := f.site(pc)
		if e == nil {
			break
		}
		if l := e.found(above); l != nil {
			return l
		}
		if depth == n && n == p.n {
			p.extend(start, e)
		}
		above = above || e.sdk
		pc, next, _ = walk(next, &p.pcs[0], 0)
	}
	return f.findByCallers(passed)
}

// findByCallers does the same with runtime.Callers. It asks for a few frames first, because the cost grows with
// their number.
func (f *Finder) findByCallers(passed bool) *Location {
	var pcs [maxDepth]uintptr
	for _, limit := range [...]int{8, maxDepth} {
		n := runtime.Callers(3, pcs[:limit]) // without itself, this function, and find
		above := passed
		for _, pc := range pcs[:n] {
			e := f.site(pc)
			if e == nil {
				continue
			}
			if l := e.found(above); l != nil {
				return l
			}
			above = above || e.sdk
		}
		if n < limit {
			break
		}
	}
	f.unknown.Add(1)
	return nil
}

// site returns what pc stands for, or nil when it is no address of Go code or the table is full.
func (f *Finder) site(pc uintptr) *site {
	if e := f.sites.slots.Load().get(pc); e != nil {
		return e
	}
	return f.resolve(pc)
}

func (f *Finder) resolve(pc uintptr) *site {
	if f.sites.full() {
		return nil
	}
	frames := framesAt(pc)
	if len(frames) == 0 {
		return nil
	}
	return f.sites.add(siteOf(pc, frames, f.skip))
}
