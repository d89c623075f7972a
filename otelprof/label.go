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
	label *core.Label
	plain bool // the site has no location
	site  core.Site
}

// maxCached is the length of the longest string that an entry may keep alive.
const maxCached = 256

// plainHash is the hash of a site without a location.
func plainHash(track, name string, kind core.Kind) uint64 {
	return (uint64(address(name)) + uint64(address(track))<<7 + uint64(kind)<<3) * hashFactor
}

func addressHash(s *core.Site) uint64 {
	h := plainHash(s.Track, s.Name, s.Kind)
	if s.Line != 0 {
		h += (uint64(address(s.Function))<<13 + uint64(s.Line)<<20) * hashFactor
	}
	return h
}

const hashFactor = 0x9E3779B97F4A7C15

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

// isPlain reports whether the entry is for a site without a location.
func (e *labelEntry) isPlain(track, name string, kind core.Kind) bool {
	t := &e.site
	return same(t.Name, name) && same(t.Track, track) && t.Kind == kind && e.plain
}

// find returns the label of a site without a location if it is where it is most likely to be, else nil.
func (c *labelCache) find(track, name string, kind core.Kind) *core.Label {
	e := c.entries[plainHash(track, name, kind)>>(64-cacheBits)].Load()
	if e == nil || !e.isPlain(track, name, kind) {
		return nil
	}
	return e.label
}

// search returns the label of a site, from the cache or by make.
func (c *labelCache) search(s *core.Site, make func(core.Site) *core.Label) *core.Label {
	h := addressHash(s)
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
		c.entries[free].Store(&labelEntry{l, s.Line == 0 && s.Function == "" && s.File == "", *s})
	}
	return l
}

// label returns the label of a span.
func (p *Profiler) label(s sdktrace.ReadOnlySpan, e *endedSpan) *core.Label {
	if p.config.track != nil {
		p.customTrack(s, &e.scope)
	}
	if p.config.callSite != CallSiteOff {
		if i := firstCodeAttribute(e.attributes); i >= 0 {
			site := core.Site{Track: e.scope, Name: e.name, Kind: e.kind}
			readCodeAttributes(e.attributes[i:], &site)
			return p.labels.search(&site, p.newLabel)
		}
	}
	if l := p.labels.find(e.scope, e.name, e.kind); l != nil {
		return l
	}
	return p.labels.search(&core.Site{Track: e.scope, Name: e.name, Kind: e.kind}, p.newLabel)
}

// customTrack asks the user's function for the track. If that panics, the track stays as it is.
func (p *Profiler) customTrack(s sdktrace.ReadOnlySpan, track *string) {
	defer func() { p.recovered(recover()) }()
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
	defer func() { p.recovered(recover()) }()
	*name = normalize(*name)
}

// firstCodeAttribute returns the index of the first code.* attribute, -1 if there is none. The lengths, which lie beside
// each other, tell nearly all others apart without a look at the keys themselves.
func firstCodeAttribute(attrs []attribute.KeyValue) int {
	const lengths uint64 = 1<<len("code.function.name") | 1<<len("code.file.path") | 1<<len("code.line.number") |
		1<<len("code.namespace") | 1<<len("code.function") | 1<<len("code.filepath") | 1<<len("code.lineno")
	for i := range attrs {
		if key := attrs[i].Key; len(key) < 64 && lengths>>(len(key)&63)&1 != 0 && key[:5] == "code." {
			return i
		}
	}
	return -1
}

// readCodeAttributes takes the call site from the code.* attributes. A span may have the stable ones and the deprecated
// ones, in any order: the stable ones win.
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
