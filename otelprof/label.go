package otelprof

import (
	"cmp"
	"sync/atomic"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// labelCache finds the label of a site by the addresses of its strings instead of their contents. Names of spans are
// nearly always constants, so that one comparison of pointers replaces the hashing of two strings: 2 ns instead
// of 40. It is sound because an entry keeps its strings alive, so that no other string can have their addresses.
type labelCache struct {
	// A site is in one of cacheWays neighbouring entries, beginning with the one that its addresses hash to. When all of them
	// are taken, the first is replaced.
	entries [cacheSize]atomic.Pointer[labelEntry]
	// missed is the hash of the site that was last looked for in vain, by entry. Only one that is missed twice in a
	// row gets an entry: names that are made up for every span have a new address each time, and would push out those
	// that come back.
	missed [cacheSize]atomic.Uint64
}

const (
	cacheBits = 10
	cacheSize = 1 << cacheBits
	cacheWays = 4
)

type labelEntry struct {
	site  core.Site
	label *core.Label
}

// maxCached is the length of the longest string that an entry may keep alive.
const maxCached = 256

func addressHash(s *core.Site) uint64 {
	h := uint64(address(s.Name)) + uint64(address(s.Track))<<7 + uint64(s.Kind)<<3
	if s.Line != 0 {
		h += uint64(address(s.Function))<<13 + uint64(s.Line)<<20
	}
	return h * 0x9E3779B97F4A7C15
}

func address(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }

// same reports whether two strings are one in memory.
func same(a, b string) bool {
	return len(a) == len(b) && unsafe.StringData(a) == unsafe.StringData(b)
}

func (e *labelEntry) is(s *core.Site) bool {
	t := &e.site
	return same(t.Name, s.Name) && same(t.Track, s.Track) && t.Kind == s.Kind &&
		same(t.Function, s.Function) && same(t.File, s.File) && t.Line == s.Line
}

// find returns the label of a site, from the cache or by make.
func (c *labelCache) find(s *core.Site, make func(core.Site) *core.Label) *core.Label {
	h := addressHash(s)
	if e := c.entries[h>>(64-cacheBits)].Load(); e != nil && e.is(s) {
		return e.label
	}
	return c.search(s, h, make)
}

func (c *labelCache) search(s *core.Site, h uint64, make func(core.Site) *core.Label) *core.Label {
	home := h >> (64 - cacheBits)
	free := home
	for way := range uint64(cacheWays) {
		i := (home + way) % cacheSize
		e := c.entries[i].Load()
		if e == nil {
			free = i
			break
		}
		if e.is(s) {
			return e.label
		}
	}
	l := make(*s)
	switch {
	case l.Overflow() || max(len(s.Name), len(s.Track), len(s.Function), len(s.File)) > maxCached:
	case c.missed[home].Load() != h:
		c.missed[home].Store(h)
	default:
		c.entries[free].Store(&labelEntry{*s, l})
	}
	return l
}

// label returns the label of a span.
func (p *Profiler) label(s sdktrace.ReadOnlySpan, v *spanView) *core.Label {
	var site core.Site // filled field by field: see spanView
	site.Track, site.Name, site.Kind = v.scope, v.name, core.Kind(v.kind)
	if p.config.track != nil {
		p.customTrack(s, &site.Track)
	}
	if p.config.callSite != CallSiteOff {
		codeAttributes(v.attributes, &site)
	}
	return p.labels.find(&site, p.newLabel)
}

// customTrack asks the user's function for the track. If that panics, the track stays as it is.
func (p *Profiler) customTrack(s sdktrace.ReadOnlySpan, track *string) {
	defer p.recovered()
	*track = p.config.track(s)
}

func (p *Profiler) newLabel(s core.Site) *core.Label {
	if normalize := p.config.normalizer(); normalize != nil {
		p.normalize(normalize, &s.Name)
	}
	return p.agg.Label(s)
}

// normalize replaces the name by what the function makes of it, unless it panics.
func (p *Profiler) normalize(normalize func(string) string, name *string) {
	defer p.recovered()
	*name = normalize(*name)
}

// codeAttributes takes the call site from the code.* attributes if there are any. A span may have the stable ones and
// the deprecated ones, in any order: the stable ones win.
func codeAttributes(attrs []attribute.KeyValue, s *core.Site) {
	for i := range attrs {
		if key := attrs[i].Key; len(key) > len("code.") && key[:5] == "code." {
			readCodeAttributes(attrs[i:], s)
			return
		}
	}
}

func readCodeAttributes(attrs []attribute.KeyValue, s *core.Site) {
	var namespace string
	var old core.Location
	for i := range attrs {
		kv := &attrs[i]
		switch kv.Key {
		case "code.function.name":
			s.Function = kv.Value.AsString()
		case "code.file.path":
			s.File = kv.Value.AsString()
		case "code.line.number":
			s.Line = int(kv.Value.AsInt64())
		case "code.namespace":
			namespace = kv.Value.AsString()
		case "code.function":
			old.Function = kv.Value.AsString()
		case "code.filepath":
			old.File = kv.Value.AsString()
		case "code.lineno":
			old.Line = int(kv.Value.AsInt64())
		}
	}
	if namespace != "" && old.Function != "" {
		old.Function = namespace + "." + old.Function
	}
	s.Function, s.File, s.Line = cmp.Or(s.Function, old.Function), cmp.Or(s.File, old.File), cmp.Or(s.Line, old.Line)
	if s.Function == "" && s.File == "" {
		s.Line = 0
	}
}
