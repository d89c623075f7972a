package profiles

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
)

// sender turns profiles of one resource into spans. It is the client of an exporter.Tracks.
type sender struct {
	to       Spans
	resource *resourcepb.Resource
	// seed makes the ids of the spans: what is sent again gets the same, so that it is recognised.
	seed   uint64
	reason string
}

// send hands a profile on, or says why it was not taken.
func (s *sender) send(ctx context.Context, profile *core.Snapshot) (reason string, err error) {
	s.seed += uint64(profile.End.UnixNano())
	s.reason = ""
	tracks, err := exporter.NewTracks(source{profile}, s,
		exporter.WithTracksIDSeed(s.seed), exporter.WithTracksMaxNodes(math.MaxInt32), exporter.WithTracksUnsampledLinks(),
		exporter.WithTracksInterval(math.MaxInt64), exporter.WithTracksTimeout(time.Hour), // the request has one
		exporter.WithTracksResource(resource.Empty()), exporter.WithTracksErrorHandler(func(error) {}))
	if err == nil {
		err = tracks.Start(ctx) // which starts nothing elsewhere
	}
	if err != nil {
		return "", err
	}
	// To shut down reports all, and returns what became of it. It is not given up when the client is: what happened without
	// being known would be handed on again as a part of the next window.
	if err = tracks.Shutdown(context.WithoutCancel(ctx)); s.reason != "" {
		return s.reason, nil
	}
	return "", err
}

type source struct{ s *core.Snapshot }

func (s source) Snapshot() *core.Snapshot { return s.s }

// Start implements otlptrace.Client.
func (*sender) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (*sender) Stop(context.Context) error { return nil }

// errRefused ends a report of which spans were refused.
var errRefused = errors.New("refused")

// UploadTraces implements otlptrace.Client.
func (s *sender) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	for _, r := range spans {
		r.Resource = s.named()
	}
	request, err := proto.MarshalOptions{Deterministic: true}.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: spans})
	if err != nil {
		return err
	}
	result, err := s.to.Ingest(ctx, request)
	if err == nil && result.Rejected > 0 {
		s.reason, err = result.Message, errRefused
	}
	return err
}

// named returns the resource with the suffix of profiles at its service.name.
func (s *sender) named() *resourcepb.Resource {
	const key = "service.name"
	name := ""
	attributes := slices.Clone(s.resource.GetAttributes())
	attributes = slices.DeleteFunc(attributes, func(kv *commonpb.KeyValue) bool {
		if kv.GetKey() == key {
			name = kv.GetValue().GetStringValue()
		}
		return kv.GetKey() == key
	})
	name = strings.TrimSuffix(name, exporter.DefaultTracksServiceSuffix) + exporter.DefaultTracksServiceSuffix
	return &resourcepb.Resource{
		Attributes: append(attributes, &commonpb.KeyValue{
			Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: name}},
		}),
		DroppedAttributesCount: s.resource.GetDroppedAttributesCount(),
	}
}
