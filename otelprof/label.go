package otelprof

import (
	"sync/atomic"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// labelCache finds the label of a site by the addresses of its strings instead of their contents. Names of spans are
// nearly always constants, so that one comparison of pointers replaces the hashing of two strings: 2 ns instead
// of 40. It is sound because an entry keeps its strings alive, so that no other string can have their addresses.
// An entry that is in the way is replaced.
type labelCache struct {
	entries [1024]atomic.Pointer[labelEntry]
}

type labelEntry struct {
	site  core.Site
	label *core.Label
}

// maxCached is the length of the longest string that an entry may keep alive.
const maxCached = 256

func (c *labelCache) slot(s *core.Site) *atomic.Pointer[labelEntry] {
	h := uint64(address(s.Name))*0x9E3779B97F4A7C15 ^ uint64(address(s.Track))*0xC2B2AE3D27D4EB4F ^ uint64(s.Kind)<<57 ^
		uint64(address(s.Function))*0x165667B19E3779F9 ^ uint64(s.Line)<<40
	return &c.entries[(h^h>>29)*0xBF58476D1CE4E5B9>>54]
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
	slot := c.slot(s)
	if e := slot.Load(); e != nil && e.is(s) {
		return e.label
	}
	l := make(*s)
	if max(len(s.Name), len(s.Track), len(s.Function), len(s.File)) <= maxCached {
		slot.Store(&labelEntry{*s, l})
	}
	return l
}

// label returns the label of a span.
func (p *Profiler) label(s sdktrace.ReadOnlySpan, v *spanView) *core.Label {
	site := core.Site{Track: v.scope, Name: v.name, Kind: core.Kind(v.kind)}
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

// codeAttributes takes the call site from the code.* attributes, stable or deprecated, if there are any.
func codeAttributes(attrs []attribute.KeyValue, s *core.Site) {
	var namespace string
	for i := range attrs {
		kv := &attrs[i]
		if len(kv.Key) < len("code.x") || kv.Key[:5] != "code." {
			continue
		}
		switch kv.Key {
		case "code.function.name":
			s.Function, namespace = kv.Value.AsString(), ""
		case "code.function":
			if s.Function == "" {
				s.Function = kv.Value.AsString()
			}
		case "code.namespace":
			namespace = kv.Value.AsString()
		case "code.file.path", "code.filepath":
			s.File = kv.Value.AsString()
		case "code.line.number", "code.lineno":
			s.Line = int(kv.Value.AsInt64())
		}
	}
	if namespace != "" && s.Function != "" {
		s.Function = namespace + "." + s.Function
	}
	if s.Line < 0 || s.Function == "" && s.File == "" {
		s.Line = 0
	}
}
