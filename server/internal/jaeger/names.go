package jaeger

import (
	"slices"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// named returns the origins as Jaeger shall see those of the spans: where services are split, a resource has the name of the
// service under which it is listed and found, and not the one that was sent.
func named(origins []store.Origin, spans []store.Span) []store.Origin {
	var out []store.Origin
	seen := map[int]bool{}
	for _, s := range spans {
		if seen[s.Origin] || strings.IndexByte(origins[s.Origin].Service, otlp.SplitMark) < 0 {
			continue
		}
		seen[s.Origin] = true
		if out == nil {
			out = slices.Clone(origins)
		}
		out[s.Origin].Resource = rename(origins[s.Origin].Resource, origins[s.Origin].Service)
	}
	if out == nil {
		return origins
	}
	return out
}

// rename returns a ResourceSpans message with another service.name. What cannot be read stays as it is.
func rename(message []byte, service string) []byte {
	const key = "service.name"
	var m tracepb.ResourceSpans
	if err := proto.Unmarshal(message, &m); err != nil || m.Resource == nil {
		return message
	}
	m.Resource.Attributes = append(slices.DeleteFunc(m.Resource.Attributes, func(a *commonpb.KeyValue) bool { return a.GetKey() == key }),
		&commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}}})
	renamed, err := proto.Marshal(&m)
	if err != nil {
		return message
	}
	return renamed
}
