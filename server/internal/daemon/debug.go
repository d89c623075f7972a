package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/stichotrope/stichotrope-go/otelprof"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
)

// debug profiles the server itself: a span for every request, which the in-process profiler counts and nobody exports, so
// that the server never gets spans of its own to make spans of. A nil debug does nothing.
type debug struct {
	profiler *otelprof.Profiler
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// openDebug starts the server's own profile.
func (d *Daemon) openDebug(context.Context) error {
	if !d.config.Debug {
		return nil
	}
	// The OTELPROF_* variables are those of the server.
	profiler, err := otelprof.New(otelprof.WithoutEnvironment(), otelprof.WithName("otelprof serve"))
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(profiler.TracerProviderOptions(sdktrace.NeverSample())...)
	d.debug = &debug{profiler, provider, provider.Tracer("otelprof")}
	d.onStop(provider.Shutdown)
	return nil
}

// routes adds the pages of /debug/.
func (g *debug) routes(mux *http.ServeMux) {
	if g == nil {
		return
	}
	mux.Handle("/debug/otelprof/", otelprof.Handler(g.profiler))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// cmdline answers in place of pprof.Cmdline: the program alone, since what follows may have secrets in it.
func cmdline(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, os.Args[0])
}

// handler profiles the requests to next, by their routes.
func (g *debug) handler(next http.Handler) http.Handler {
	if g == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := g.tracer.Start(r.Context(), "HTTP", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		s := &statusWriter{ResponseWriter: w}
		r = r.WithContext(ctx)
		next.ServeHTTP(s, r)
		if r.Pattern != "" {
			span.SetName(r.Pattern)
		}
		if s.code() >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	})
}

// sink profiles the requests that next takes.
func (g *debug) sink(next receiver.Sink) receiver.Sink {
	if g == nil {
		return next
	}
	return &profiledSink{next, g.tracer}
}

type profiledSink struct {
	receiver.Sink
	tracer trace.Tracer
}

// Ingest implements receiver.Sink.
func (p *profiledSink) Ingest(ctx context.Context, request []byte) (otlp.Result, error) {
	ctx, span := p.tracer.Start(ctx, "ingest")
	defer span.End()
	result, err := p.Sink.Ingest(ctx, request)
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return result, err
}

// unary and stream profile the calls of a server of grpc.
func (g *debug) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, span := g.tracer.Start(ctx, info.FullMethod, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	answer, err := next(ctx, request)
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return answer, err
}

func (g *debug) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	_, span := g.tracer.Start(stream.Context(), info.FullMethod, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	err := next(server, stream)
	if err != nil && !errors.Is(err, context.Canceled) {
		span.SetStatus(codes.Error, "")
	}
	return err
}
