package exporter

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/stichotrope/stichotrope-go/core"
)

// The attributes of points.
const (
	// serviceKey is the service of a site, in a profile of several.
	serviceKey  = attribute.Key("otelprof.service")
	trackKey    = attribute.Key("otelprof.track")
	spanNameKey = attribute.Key("span.name")
	spanKindKey = attribute.Key("span.kind")
	functionKey = attribute.Key("code.function.name")
	fileKey     = attribute.Key("code.file.path")
	lineKey     = attribute.Key("code.line.number")
	// nodeKey and parentKey hold ids in hexadecimal. They mean nothing but which node is whose parent.
	nodeKey   = attribute.Key("otelprof.node")
	parentKey = attribute.Key("otelprof.parent")
	// partKey numbers summands of one value.
	partKey = attribute.Key("otelprof.part")
	// profileKey is the name of a profiler, counterKey that of a counter.
	profileKey = attribute.Key("otelprof.profile")
	counterKey = attribute.Key("otelprof.counter")
	// roleKey says what an exemplar is an example of, sampledKey whether a tracing backend can be expected to have it.
	roleKey    = attribute.Key("otelprof.exemplar")
	sampledKey = attribute.Key("otelprof.sampled")
	// overflowKey marks the point of what is over a cardinality limit, as the metrics data model says.
	overflowKey = attribute.Key("otel.metric.overflow")
)

const (
	roleSlowest = "slowest"
	roleError   = "error"
)

var overflowSet = attribute.NewSet(overflowKey.Bool(true))

// siteAttributes returns what identifies a point of FamilyOtelprof.
func siteAttributes(x *series) attribute.Set {
	if x.overflow {
		return overflowSet
	}
	s := x.key.site
	list := []attribute.KeyValue{
		trackKey.String(s.Track), spanNameKey.String(s.Name), spanKindKey.String(kindText(s.Kind)),
	}
	if s.Service != "" {
		list = append(list, serviceKey.String(s.Service))
	}
	if s.Function != "" {
		list = append(list, functionKey.String(s.Function))
	}
	if s.File != "" {
		list = append(list, fileKey.String(s.File))
	}
	if s.Line != 0 {
		list = append(list, lineKey.Int(s.Line))
	}
	if x.key.node != 0 {
		list = append(list, nodeKey.String(strconv.FormatUint(x.key.node, 16)))
	}
	if x.parent != 0 {
		list = append(list, parentKey.String(strconv.FormatUint(x.parent, 16)))
	}
	return attribute.NewSet(list...)
}

const kindPrefix = "SPAN_KIND_"

// kindText returns the name of a kind in OTLP's style, such as SPAN_KIND_SERVER; other kinds than those of spans have
// the names of core.
func kindText(k core.Kind) string {
	if k > core.KindConsumer {
		return k.String()
	}
	return kindPrefix + strings.ToUpper(k.String())
}

// parseKind is the inverse of kindText.
func parseKind(text string) (k core.Kind, err error) {
	if span, ok := strings.CutPrefix(text, kindPrefix); ok {
		text = strings.ToLower(span)
	}
	err = k.UnmarshalText([]byte(text))
	return k, err
}
