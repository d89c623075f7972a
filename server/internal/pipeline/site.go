package pipeline

import (
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// site is an interned core.Site.
type site struct {
	core.Site
	hash uint64
	// number is the site's place in arrays; no two sites in the table have the same.
	number int
	// clock stands for the service's clock: a hash of its name.
	clock uint32
	// overflow: the site stands for those that the table had no room for.
	overflow bool
	// seen is when a span was last seen, in Unix minutes.
	seen atomic.Int64
}

// sites interns sites without a lock and without allocating, unless they are new: an insert-only table with linear
// probing, which is replaced to grow and to forget.
type sites struct {
	seed  maphash.Seed
	limit int
	slots atomic.Pointer[[]atomic.Pointer[site]]
	over  *site

	mu      sync.Mutex
	n       int
	numbers []int // free ones
	next    int
	forgot  int64 // when sites were last forgotten, in Unix minutes
	refused atomic.Uint64
}

// forgetAfter is how many minutes without spans a site is kept.
const forgetAfter = 60

func newSites(limit int) *sites {
	t := &sites{seed: maphash.MakeSeed(), limit: limit, forgot: math.MinInt64 / 2, next: 1}
	t.over = &site{Site: core.OverflowSite, overflow: true, hash: 1}
	slots := make([]atomic.Pointer[site], 64)
	t.slots.Store(&slots)
	return t
}

// maxText is how much of each text tells sites apart. It is a little more than what core takes, which cuts where a
// character ends, and counts it.
const maxText = 1024 + 4

func cut(text *[]byte) {
	if len(*text) > maxText {
		*text = (*text)[:maxText]
	}
}

// hashOrigin returns the part of a site's hash that all spans of an origin share. It cuts the texts.
func (t *sites) hashOrigin(o *otlp.Origin) uint64 {
	cut(&o.Service)
	cut(&o.ScopeName)
	return mix(maphash.Bytes(t.seed, o.Service), maphash.Bytes(t.seed, o.ScopeName))
}

// of returns the site of a span; origin is what hashOrigin says. It cuts the texts.
func (t *sites) of(s *otlp.Span, origin uint64, now int64) *site {
	cut(&s.Name)
	cut(&s.Function)
	cut(&s.File)
	h := mix(origin, maphash.Bytes(t.seed, s.Name)) + uint64(s.Kind)
	if len(s.Function)+len(s.File) > 0 {
		h = mix(h, maphash.Bytes(t.seed, s.Function)^bits.RotateLeft64(maphash.Bytes(t.seed, s.File), 32)^uint64(s.Line))
	}
	found := t.find(s, h)
	if found == nil {
		found = t.add(s, h, now)
	}
	if found.seen.Load() != now {
		found.seen.Store(now)
	}
	return found
}

func (t *sites) find(s *otlp.Span, h uint64) *site {
	slots := *t.slots.Load()
	mask := uint64(len(slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := slots[i].Load()
		if e == nil || e.hash == h && e.is(s) {
			return e
		}
	}
}

func (e *site) is(s *otlp.Span) bool {
	return e.Name == string(s.Name) && e.Kind == s.Kind && e.Service == string(s.Origin.Service) &&
		e.Track == string(s.Origin.ScopeName) && e.Function == string(s.Function) && e.File == string(s.File) && e.Line == s.Line
}

func (t *sites) add(s *otlp.Span, h uint64, now int64) *site {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.find(s, h); e != nil {
		return e
	}
	if t.n >= t.limit {
		// To look for room costs as much as the table is large: once a minute.
		if now <= t.forgot {
			t.refused.Add(1)
			return t.over
		}
		t.forgot = now
		t.rebuild(len(*t.slots.Load()), now-forgetAfter)
		if t.n >= t.limit {
			t.refused.Add(1)
			return t.over
		}
	}
	e := &site{hash: h, number: t.number(), Site: core.Site{
		Service: string(s.Origin.Service), Track: string(s.Origin.ScopeName), Name: string(s.Name), Kind: s.Kind,
		Function: string(s.Function), File: string(s.File), Line: s.Line,
	}}
	e.clock = uint32(maphash.String(t.seed, e.Service))
	e.seen.Store(now)
	if t.n++; 2*t.n > len(*t.slots.Load()) {
		t.rebuild(2*len(*t.slots.Load()), math.MinInt64)
	}
	put(*t.slots.Load(), e)
	return e
}

// number returns a free number; 0 is that of the overflow site.
func (t *sites) number() int {
	if n := len(t.numbers); n > 0 {
		free := t.numbers[n-1]
		t.numbers = t.numbers[:n-1]
		return free
	}
	t.next++
	return t.next - 1
}

// rebuild replaces the table by one without the sites last seen before a minute.
func (t *sites) rebuild(size int, since int64) {
	slots := make([]atomic.Pointer[site], size)
	old := *t.slots.Load()
	for i := range old {
		e := old[i].Load()
		switch {
		case e == nil:
		case e.seen.Load() < since:
			t.numbers = append(t.numbers, e.number)
			t.n--
		default:
			put(slots, e)
		}
	}
	t.slots.Store(&slots)
}

func put(slots []atomic.Pointer[site], e *site) {
	mask := uint64(len(slots) - 1)
	i := e.hash & mask
	for slots[i].Load() != nil {
		i = (i + 1) & mask
	}
	slots[i].Store(e)
}

// unixMinute returns the Unix minute of a time.
func unixMinute(t time.Time) int64 { return t.Unix() / 60 }
