package exporter

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

const serviceName = attribute.Key("service.name")

// profileResource returns the user's resource under the name of a service of its own, so that the spans of profiles
// do not mix with those of the service. An empty name means that of the resource with the suffix.
func profileResource(r *resource.Resource, name, suffix string) *resourcepb.Resource {
	original := "unknown_service"
	out := &resourcepb.Resource{}
	for _, kv := range r.Attributes() {
		if kv.Key == serviceName {
			original = kv.Value.String()
			continue
		}
		out.Attributes = append(out.Attributes, protoPair(kv))
	}
	if name == "" {
		name = original + suffix
	}
	out.Attributes = append(out.Attributes,
		protoPair(serviceName.String(name)), protoPair(attribute.String(attrProfiledService, original)))
	return out
}

func protoPair(kv attribute.KeyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: validText(string(kv.Key)), Value: protoValue(kv.Value)}
}

func protoValue(v attribute.Value) *commonpb.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	case attribute.BOOLSLICE:
		return protoList(v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return protoList(v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return protoList(v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return protoList(v.AsStringSlice(), attribute.StringValue)
	case attribute.EMPTY:
		return &commonpb.AnyValue{}
	}
	// Of all other types the text is what a backend shows.
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: validText(v.String())}}
}

func protoList[T any](list []T, value func(T) attribute.Value) *commonpb.AnyValue {
	out := &commonpb.ArrayValue{Values: make([]*commonpb.AnyValue, len(list))}
	for i, x := range list {
		out.Values[i] = protoValue(value(x))
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: out}}
}

// validText makes text encodable: protobuf refuses whole messages because of one bad string.
func validText(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
