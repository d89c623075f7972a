package profilestest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
)

// uploads are the requests of an exporter.Tracks.
type uploads struct{ requests [][]byte }

// Start implements otlptrace.Client.
func (*uploads) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (*uploads) Stop(context.Context) error { return nil }

// UploadTraces implements otlptrace.Client.
func (u *uploads) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	request, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: spans})
	u.requests = append(u.requests, request)
	return err
}

type fixed struct{ s *core.Snapshot }

func (f fixed) Snapshot() *core.Snapshot { return f.s }

// Spans returns the requests by which a process with the name shop sends a profile as spans.
func Spans(t *testing.T, profile *core.Snapshot) [][]byte {
	u := &uploads{}
	tracks, err := exporter.NewTracks(fixed{profile}, u,
		exporter.WithTracksResource(resource.NewSchemaless(attribute.String("service.name", "shop"))))
	require.NoError(t, err)
	require.NoError(t, tracks.Start(t.Context()))
	require.NoError(t, tracks.Shutdown(t.Context()))
	require.NotEmpty(t, u.requests)
	return u.requests
}
