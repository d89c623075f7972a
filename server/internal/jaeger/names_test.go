package jaeger

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestSplitServicesAreNamedAsTheyAreFound(t *testing.T) {
	text := func(key, value string) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
	}
	resource := func(attributes ...*commonpb.KeyValue) []byte {
		b, err := proto.Marshal(&tracepb.ResourceSpans{Resource: &resourcepb.Resource{Attributes: attributes}, SchemaUrl: "schema"})
		require.NoError(t, err)
		return append(b, 0xc0, 0x3e, 0x07) // an unknown field
	}
	sent := resource(text("service.name", "cart"), text("service.version", "1.2"))
	origins := []store.Origin{
		{Service: "web", Resource: resource(text("service.name", "web"))}, {Service: "cart@1.2", Resource: sent}, {Service: "other@1", Resource: sent},
		{Service: "broken@1", Resource: []byte("\xff")},
	}
	spans := []store.Span{{Origin: 0}, {Origin: 1}, {Origin: 1}, {Origin: 3}}
	got := named(origins, spans)
	require.Equal(t, origins[0], got[0])
	require.Equal(t, origins[2], got[2], "no span of it is shown")
	require.Equal(t, origins[3], got[3])
	var want, have tracepb.ResourceSpans
	require.NoError(t, proto.Unmarshal(resource(text("service.version", "1.2"), text("service.name", "cart@1.2")), &want))
	require.NoError(t, proto.Unmarshal(got[1].Resource, &have))
	require.True(t, proto.Equal(&want, &have), "%s", &have)
	require.Equal(t, sent, origins[1].Resource, "what is stored stays")
	unsplit := named(origins, spans[:1])
	require.Same(t, &origins[0], &unsplit[0])
}
