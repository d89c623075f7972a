package exporter

import commonpb "go.opentelemetry.io/proto/otlp/common/v1"

// The attributes of the spans that show a profile. Durations are in nanoseconds, moments in nanoseconds since the Unix
// epoch. Numbers from 2^63 on, which only saturated sums reach, are written in two's complement.
const (
	// attrRole says what a span stands for: one of the roles below. It is on every span of a profile and on no other.
	attrRole = "otelprof.role"

	// On spans of a site.
	attrService  = "otelprof.service" // only in a profile of several services
	attrTrack    = "otelprof.track"
	attrName     = "otelprof.name" // only where it is not the span's name
	attrKind     = "otelprof.kind" // only where it is not the span's kind
	attrFunction = "code.function.name"
	attrFile     = "code.file.path"
	attrLine     = "code.line.number"

	// Statistics, see core.Stats. Left out where they are 0; count, total and self never are. A count of 1 leaves out
	// all that then follows from total and last: extremes, mean and first. Mean and quantiles are on some nodes alone, see
	// WithTracksMaxDetailed.
	attrCount  = "otelprof.count"
	attrErrors = "otelprof.errors"
	attrTotal  = "otelprof.total"
	attrSelf   = "otelprof.self"
	// The part of total on critical paths, and how many calls sampling dropped, in 1024ths.
	attrCritical  = "otelprof.critical"
	attrUnsampled = "otelprof.unsampled_1024ths"
	attrMin       = "otelprof.min"
	attrMax       = "otelprof.max"
	attrMean      = "otelprof.mean"
	attrBytes     = "otelprof.bytes"
	attrActive    = "otelprof.active"

	// Exemplars that a tracing backend can be expected to have are links with attrExemplar.
	attrExemplar = "otelprof.exemplar"

	// On the window's span.
	attrVersion        = "otelprof.version"
	attrScale          = "otelprof.scale"
	attrProfiles       = "otelprof.profiles"
	attrStart          = "otelprof.start"
	attrEnd            = "otelprof.end"
	attrTemporality    = "otelprof.temporality"
	attrDisabledTracks = "otelprof.disabled_tracks"
	attrSpans          = "otelprof.spans" // of the profile's trace: a reader sees by it whether all are there
	attrNodes          = "otelprof.nodes"
	attrFolded         = "otelprof.nodes.folded"
	attrShift          = "otelprof.length.shift"
	attrUndelivered    = "otelprof.undelivered"
	attrRestarted      = "otelprof.restarted"
	prefixCounters     = "otelprof.counters."

	// On the resource: the service that was profiled.
	attrProfiledService = "otelprof.service.name"
)

// The values of attrRole.
const (
	roleWindow  = "window"
	roleTrack   = "track"
	roleNode    = "node"
	roleGroup   = "group"   // the parent of the outside spans of one track
	roleOutside = "outside" // what a site's block has besides its nodes
)

// The values of attrExemplar.
const (
	exemplarSlowest   = "slowest"
	exemplarLastError = "last_error"
)

// quantile is one that is shown from so many observations on that it can be another than the largest.
type quantile struct {
	key  string
	q    float64
	from uint64
}

var quantiles = [...]quantile{
	{"otelprof.p50", 0.5, 2}, {"otelprof.p90", 0.9, 10}, {"otelprof.p95", 0.95, 20}, {"otelprof.p99", 0.99, 100},
	{"otelprof.p99.9", 0.999, 1000},
}

// selfQuantiles are those of self times, where there is a histogram of these.
var selfQuantiles = [...]quantile{{"otelprof.self.p50", 0.5, 2}, {"otelprof.self.p99", 0.99, 2}}

// attributes makes protobuf attributes. It allocates them in chunks, because a large profile has hundreds of thousands,
// and adds up their size.
type attributes struct {
	pairs  []commonpb.KeyValue
	values []commonpb.AnyValue
	ints   []commonpb.AnyValue_IntValue
	// size is an upper bound of the encoded size in bytes of what was made since it was last set to 0.
	size int
}

const (
	attributeChunk = 512
	// overheadOfValue bounds what the encoding adds to the text of a value or is the size of a number, and
	// overheadOfPair what it adds to a key and a value.
	overheadOfValue = 16
	overheadOfPair  = 16
)

func (a *attributes) pair(key string, value *commonpb.AnyValue) *commonpb.KeyValue {
	if len(a.pairs) == 0 {
		a.pairs = make([]commonpb.KeyValue, attributeChunk)
	}
	p := &a.pairs[0]
	a.pairs = a.pairs[1:]
	p.Key, p.Value = key, value
	a.size += len(key) + overheadOfPair
	return p
}

func (a *attributes) value() *commonpb.AnyValue {
	if len(a.values) == 0 {
		a.values = make([]commonpb.AnyValue, attributeChunk)
	}
	v := &a.values[0]
	a.values = a.values[1:]
	a.size += overheadOfValue
	return v
}

func (a *attributes) intValue(n int64) *commonpb.AnyValue {
	if len(a.ints) == 0 {
		a.ints = make([]commonpb.AnyValue_IntValue, attributeChunk)
	}
	i := &a.ints[0]
	a.ints = a.ints[1:]
	i.IntValue = n
	v := a.value()
	v.Value = i
	return v
}

func (a *attributes) textValue(text string) *commonpb.AnyValue {
	v := a.value()
	v.Value = &commonpb.AnyValue_StringValue{StringValue: text}
	a.size += len(text)
	return v
}

func (a *attributes) int(key string, n int64) *commonpb.KeyValue { return a.pair(key, a.intValue(n)) }

func (a *attributes) text(key, text string) *commonpb.KeyValue { return a.pair(key, a.textValue(text)) }

func (a *attributes) bytes(key string, data []byte) *commonpb.KeyValue {
	v := a.value()
	v.Value = &commonpb.AnyValue_BytesValue{BytesValue: data}
	a.size += len(data)
	return a.pair(key, v)
}

func (a *attributes) list(key string, list []*commonpb.AnyValue) *commonpb.KeyValue {
	v := a.value()
	v.Value = &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: list}}
	return a.pair(key, v)
}

func (a *attributes) texts(key string, texts []string) *commonpb.KeyValue {
	list := make([]*commonpb.AnyValue, len(texts))
	for i, text := range texts {
		list[i] = a.textValue(text)
	}
	return a.list(key, list)
}
