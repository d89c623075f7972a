package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// peer is another server that gets the same load.
type peer struct {
	name   string
	binary string
	// module is the Go module that does the work, whose version is reported.
	module string
	config string // YAML with placeholders
	// beside are the stores with which our server does the comparable job, the nearest first.
	beside []string
	does   string
}

// takesOTLP is how the configuration of every peer begins. Without metrics of their own no port is fixed.
const takesOTLP = `receivers: {otlp: {protocols: {grpc: {endpoint: '$GRPC'}, http: {endpoint: '$HTTP'}}}}
service:
  telemetry: {metrics: {level: none}, logs: {level: warn}}
`

const dropConfig = takesOTLP + `  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}
exporters: {nop: {}}
`

const spanMetricsConfig = takesOTLP + `  pipelines:
    traces: {receivers: [otlp], exporters: [spanmetrics]}
    metrics: {receivers: [spanmetrics], exporters: [nop]}
connectors: {spanmetrics: {metrics_flush_interval: 15s, histogram: {exponential: {max_size: 160}}}}
exporters: {nop: {}}
`

const jaegerConfig = takesOTLP + `  extensions: [jaeger_storage, jaeger_query]
  pipelines: {traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}}
extensions:
  jaeger_storage: {backends: {here: {memory: {max_traces: $TRACES}}}}
  jaeger_query: {storage: {traces: here}, http: {endpoint: '$PAGE'}, grpc: {endpoint: '127.0.0.1:0'}}
exporters: {jaeger_storage_exporter: {trace_storage: here}}
`

// peers returns those whose binaries are there, and says which are not.
func (b *bench) peers() []*peer {
	list := []*peer{
		{
			name: "Collector, receives and drops", binary: b.collector, module: "go.opentelemetry.io/collector/otelcol",
			config: dropConfig, beside: []string{"none"},
			does: "decodes spans and forgets them: what receiving alone costs there. Its heap is so small that it may collect garbage more\n" +
				"  often, and take more CPU time, than with span metrics. It does less than any of ours.",
		},
		{
			name: "Collector, spanmetrics (exponential histograms)", binary: b.collector,
			module: "github.com/open-telemetry/opentelemetry-collector-contrib/connector/spanmetricsconnector",
			config: spanMetricsConfig, beside: []string{"none"},
			does: "counts calls and durations by service, span name, kind and status, and flushes them every 15 s; what it has not\n" +
				"  flushed at its end is lost. It knows no self times. With the store none, otelprof counts too, and puts every trace\n" +
				"  together for self times, call tree and critical paths.",
		},
		{
			name: "Jaeger, memory", binary: b.jaeger, module: "github.com/jaegertracing/jaeger",
			config: jaegerConfig, beside: []string{"memory", "pebble"},
			does: "keeps all traces in memory to be asked for, without statistics, and loses them at its end. otelprof has the statistics\n" +
				"  as well, and with pebble a request is on the disk before it is acknowledged.",
		},
	}
	return slices.DeleteFunc(list, func(p *peer) bool {
		_, err := os.Stat(p.binary)
		if err != nil {
			b.say("%s is left out: %v", p.name, err)
		}
		return err != nil
	})
}

// version tells the version of the peer's module in the binary, and which Go built it.
func (o *peer) version() string {
	info, err := buildinfo.ReadFile(o.binary)
	if err != nil {
		return "version unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == o.module {
			return m.Version + ", built by " + info.GoVersion
		}
	}
	return "version unknown"
}

// configuration returns the text of the configuration for a process that keeps so many traces.
func (o *peer) configuration(p *process, traces int) string {
	return strings.NewReplacer("$GRPC", p.grpc, "$HTTP", p.http, "$PAGE", p.page, "$TRACES", fmt.Sprint(traces)).Replace(o.config)
}

// start runs the peer on free ports and waits until it takes connections.
func (o *peer) start(ctx context.Context, folder string, traces int) (*process, error) {
	p, err := newProcess()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "peer.yaml")
	if err := os.WriteFile(file, []byte(o.configuration(p, traces)), 0o600); err != nil {
		return nil, err
	}
	p.env = []string{"OTEL_TRACES_SAMPLER=always_off"} // Jaeger would send spans of its own to port 4317
	return p, p.run(ctx, p.listens, o.binary, "--config", file)
}

// listens reports whether both ports for spans take connections.
func (p *process) listens() bool {
	for _, address := range []string{p.grpc, p.http} {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		connection.Close()
	}
	return true
}

// peerRow measures a peer as ingestRow measures ours.
func (b *bench) peerRow(ctx context.Context, l load, o *peer, protocol string) (ingestRow, error) {
	row := ingestRow{peer: o, protocol: protocol}
	p, err := o.start(ctx, b.scratch, l.traces)
	if err != nil {
		return row, err
	}
	took, err := p.load(ctx, l, b.senders, protocol, 0)
	row.peak, _ = p.peak()
	if err = errors.Join(err, p.stop()); err != nil {
		return row, err
	}
	row.ended(p, l, took)
	return row, nil
}
