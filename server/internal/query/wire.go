package query

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// The field numbers of OTLP's messages TracesData, ResourceSpans and ScopeSpans.
const (
	fieldResourceSpans = 1
	fieldScopeSpans    = 2
	fieldSpans         = 2
)

// AppendTraces appends a TracesData message with the spans to b: the very bytes that were received, unknown fields included,
// put together by origin. Origins stand in the order in which they come first.
func AppendTraces(b []byte, origins []store.Origin, spans []store.Span) []byte {
	var order []int
	groups := map[int][]store.Span{}
	for _, s := range spans {
		if groups[s.Origin] == nil {
			order = append(order, s.Origin)
		}
		groups[s.Origin] = append(groups[s.Origin], s)
	}
	for _, o := range order {
		origin := &origins[o]
		scope := len(origin.Scope)
		for _, s := range groups[o] {
			scope += protowire.SizeTag(fieldSpans) + protowire.SizeBytes(len(s.Raw))
		}
		resource := len(origin.Resource) + protowire.SizeTag(fieldScopeSpans) + protowire.SizeBytes(scope)
		b = appendLength(b, fieldResourceSpans, resource)
		b = append(b, origin.Resource...)
		b = appendLength(b, fieldScopeSpans, scope)
		b = append(b, origin.Scope...)
		for _, s := range groups[o] {
			b = appendLength(b, fieldSpans, len(s.Raw))
			b = append(b, s.Raw...)
		}
	}
	return b
}

func appendLength(b []byte, number protowire.Number, length int) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(length))
}

// Deduplicate returns the spans without those that were received before, byte by byte, from the same origin.
func Deduplicate(spans []store.Span) []store.Span {
	type key struct {
		origin int
		raw    string
	}
	seen := make(map[key]bool, len(spans))
	out := make([]store.Span, 0, len(spans))
	for _, s := range spans {
		k := key{s.Origin, string(s.Raw)}
		if !seen[k] {
			seen[k] = true
			out = append(out, s)
		}
	}
	return out
}
