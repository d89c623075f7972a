package blackbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// clientTraces is how many traces each client sends: a request with two queries, one of which fails.
const clientTraces = 700

// requireClient compares the blocks of a client with what it did.
func (s *server) requireClient(service string) {
	s.t.Helper()
	have := map[[3]string][2]uint64{}
	for _, b := range s.blocks() {
		if b.Service == service {
			have[[3]string{b.Track, b.Name, b.Kind}] = [2]uint64{b.Stats.Count, b.Stats.Errors}
		}
	}
	require.Equal(s.t, map[[3]string][2]uint64{
		{"shop", "GET /cart", "server"}: {clientTraces, 0},
		{"shop", "SELECT", "client"}:    {clientTraces, 0},
		{"shop", "UPDATE", "client"}:    {clientTraces, clientTraces},
	}, have)
}

// TestJavaScriptClientsAreCountedExactly sends with OpenTelemetry's JavaScript SDK by each of its protocols.
func TestJavaScriptClientsAreCountedExactly(t *testing.T) {
	const folder = "jsclient"
	node, err := exec.LookPath("node")
	missing := ""
	if err != nil {
		missing = "node is not installed"
	} else if _, err := os.Stat(filepath.Join(folder, "node_modules", "@opentelemetry")); err != nil {
		missing = "OpenTelemetry's JavaScript SDK is not installed: run npm ci --ignore-scripts --prefix server/blackbox/jsclient"
	}
	if missing != "" && os.Getenv("OTELPROF_TEST_REQUIRE_NODE") != "" {
		t.Fatal(missing)
	}
	if missing != "" {
		t.Skip(missing)
	}
	s := start(t, t.TempDir()).run()
	for protocol, address := range map[string]string{"grpc": s.grpc, "http/json": s.http, "http/protobuf": s.http} {
		cmd := exec.CommandContext(t.Context(), node, "client.mjs", protocol, "http://"+address, strconv.Itoa(clientTraces))
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", protocol, out)
		s.requireClient("js " + protocol) // at once: what is acknowledged is counted
	}
	s.waitForFiling()
	for _, protocol := range []string{"grpc", "http/json", "http/protobuf"} {
		s.requireClient("js " + protocol)
	}
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
}

// TestGoClientsAreCountedExactly sends with OpenTelemetry's Go SDK, compressed, by both of its protocols.
func TestGoClientsAreCountedExactly(t *testing.T) {
	s := start(t, t.TempDir()).run()
	for protocol, client := range map[string]otlptrace.Client{
		"grpc": otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL("http://"+s.grpc), otlptracegrpc.WithCompressor("gzip")),
		"http": otlptracehttp.NewClient(otlptracehttp.WithEndpointURL("http://"+s.http+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression)),
	} {
		exp, err := otlptrace.New(t.Context(), client)
		require.NoError(t, err)
		provider := sdktrace.NewTracerProvider(
			sdktrace.WithBatcher(exp, sdktrace.WithMaxQueueSize(10*clientTraces)),
			sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "go "+protocol))))
		shop(t.Context(), provider.Tracer("shop"))
		require.NoError(t, provider.Shutdown(t.Context()))
		s.requireClient("go " + protocol)
	}
	s.waitForFiling()
	s.requireClient("go grpc")
	s.requireClient("go http")
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
}

// shop does what the JavaScript client does.
func shop(ctx context.Context, tracer trace.Tracer) {
	for range clientTraces {
		ctx, root := tracer.Start(ctx, "GET /cart", trace.WithSpanKind(trace.SpanKindServer))
		_, query := tracer.Start(ctx, "SELECT", trace.WithSpanKind(trace.SpanKindClient))
		query.End()
		_, bad := tracer.Start(ctx, "UPDATE", trace.WithSpanKind(trace.SpanKindClient))
		bad.SetStatus(codes.Error, "")
		bad.End()
		root.End()
	}
}

// TestTelemetrygenIsCountedExactly sends with the Collector's own generator by both protocols.
func TestTelemetrygenIsCountedExactly(t *testing.T) {
	// All spans of a run fit into the queue of its SDK, which drops what does not.
	const program, traces, workers, children = "../../bin/telemetrygen", 130, 3, 4
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("OTELPROF_TEST_REQUIRE_TELEMETRYGEN") != "" {
			t.Fatal(err)
		}
		t.Skip("telemetrygen is not there: run make telemetrygen: ", err)
	}
	s := start(t, t.TempDir()).run()
	for name, args := range map[string][]string{
		"gen grpc": {"--otlp-endpoint", s.grpc}, "gen http": {"--otlp-endpoint", s.http, "--otlp-http"}, "gen grpc alone": {"--otlp-endpoint", s.grpc, "--batch=false"},
	} {
		out, err := exec.CommandContext(t.Context(), program, append([]string{
			"traces", "--otlp-insecure", "--rate", "0", "--service", name, "--workers", strconv.Itoa(workers), "--traces", strconv.Itoa(traces),
			"--child-spans", strconv.Itoa(children), "--span-duration", "5ms", "--status-code", "Error",
		}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	s.waitForFiling()
	type sums struct{ roots, children, errors uint64 }
	have := map[string]sums{}
	for _, b := range s.blocks() {
		n := have[b.Service]
		if b.Name == "lets-go" {
			n.roots += b.Stats.Count
		} else {
			n.children += b.Stats.Count
		}
		n.errors += b.Stats.Errors
		require.Equal(t, "telemetrygen", b.Track)
		require.GreaterOrEqual(t, b.Stats.Min, uint64(5e6))
		have[b.Service] = n
	}
	const roots = traces * workers
	want := sums{roots, roots * children, roots * (1 + children)}
	require.Equal(t, map[string]sums{"gen grpc": want, "gen http": want, "gen grpc alone": want}, have)
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
}
