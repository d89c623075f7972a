package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// thisTest returns the binary of this test, which is there.
func thisTest(t *testing.T) string {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	return binary
}

// builtPeer returns the peer of a name, whose binary make has built into bin. It skips the test if that is not there.
func builtPeer(t *testing.T, name, binary string) *peer {
	t.Helper()
	b := bench{options: options{collector: "../../bin/collector", jaeger: "../../bin/jaeger"}}
	for _, p := range b.peers() {
		if p.name == name {
			require.Regexp(t, `^v[0-9.]+, built by go1\.[0-9.]+`, p.version())
			return p
		}
	}
	variable := "OTELPROF_TEST_REQUIRE_" + strings.ToUpper(binary)
	require.NotEqual(t, "1", os.Getenv(variable), "there is no bin/%s, and %s=1", binary, variable)
	t.Skipf("there is no bin/%s: run make %[1]s", binary)
	return nil
}

// startAndSend starts a peer and sends it a load by each protocol.
func startAndSend(t *testing.T, o *peer) (*process, []load) {
	t.Helper()
	g := newGenerator()
	first, err := g.next(2000)
	require.NoError(t, err)
	second, err := g.next(2000)
	require.NoError(t, err)
	p, err := o.start(context.Background(), t.TempDir(), first.traces+second.traces)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.stop()) })
	_, err = p.load(t.Context(), first, 2, "gRPC", 0)
	require.NoError(t, err)
	_, err = p.load(t.Context(), second, 2, "HTTP", 0)
	require.NoError(t, err)
	return p, []load{first, second}
}

// spanMetrics is what the test reads of OTLP/JSON.
type spanMetrics struct {
	ResourceMetrics []struct {
		ScopeMetrics []struct {
			Metrics []struct {
				Sum struct {
					DataPoints []struct {
						AsInt int `json:",string"`
					}
				}
				ExponentialHistogram struct {
					DataPoints []struct {
						Count int `json:",string"`
					}
				}
			}
		}
	}
}

// counted returns the sums of the calls and of the histograms in the last metrics of a file.
func counted(file string) (calls, durations int) {
	data, err := os.ReadFile(file)
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	var m spanMetrics
	if err != nil || json.Unmarshal(lines[len(lines)-1], &m) != nil {
		return 0, 0
	}
	for _, r := range m.ResourceMetrics {
		for _, s := range r.ScopeMetrics {
			for _, metric := range s.Metrics {
				for _, point := range metric.Sum.DataPoints {
					calls += point.AsInt
				}
				for _, point := range metric.ExponentialHistogram.DataPoints {
					durations += point.Count
				}
			}
		}
	}
	return calls, durations
}

func TestCollectorCountsEverySpan(t *testing.T) {
	o := builtPeer(t, "Collector, spanmetrics (exponential histograms)", "collector")
	file := filepath.Join(t.TempDir(), "metrics.json")
	for _, change := range [][2]string{
		{"{nop: {}}", "{file: {path: '" + file + "', flush_interval: 50ms}}"}, {"[nop]", "[file]"}, {"interval: 15s", "interval: 50ms"},
	} {
		require.Contains(t, o.config, change[0])
		o.config = strings.Replace(o.config, change[0], change[1], 1)
	}
	_, loads := startAndSend(t, o)
	require.Eventually(t, func() bool {
		calls, durations := counted(file)
		return calls == loads[0].spans+loads[1].spans && durations == calls
	}, time.Minute, 50*time.Millisecond)
}

func TestJaegerKeepsEverySpan(t *testing.T) {
	p, loads := startAndSend(t, builtPeer(t, "Jaeger, memory", "jaeger"))
	sent := map[string]int{}
	for _, request := range append(loads[0].requests, loads[1].requests...) {
		var r collectorpb.ExportTraceServiceRequest
		require.NoError(t, proto.Unmarshal(request, &r))
		for _, scope := range r.ResourceSpans[0].ScopeSpans {
			for _, span := range scope.Spans {
				sent[hex.EncodeToString(span.TraceId)]++
			}
		}
	}
	for id, spans := range sent {
		body, err := get(t.Context(), "http://"+p.page+"/api/traces/"+id)
		require.NoError(t, err)
		var answer struct{ Data []struct{ Spans []struct{} } }
		require.NoError(t, json.Unmarshal(body, &answer))
		require.Len(t, answer.Data, 1)
		require.Len(t, answer.Data[0].Spans, spans)
	}
}

func TestCollectorReceivesAndDrops(t *testing.T) {
	startAndSend(t, builtPeer(t, "Collector, receives and drops", "collector"))
}

func TestPeersRunNextToWhatTheyAreComparedWith(t *testing.T) {
	t.Setenv(engineVariable, "")
	here := thisTest(t)
	names := func(collector, jaeger string) (list []string) {
		b := bench{options: options{collector: collector, jaeger: jaeger}}
		for _, s := range b.subjects() {
			list = append(list, s.name)
		}
		return list
	}
	drop, spanMetrics := "Collector, receives and drops", "Collector, spanmetrics (exponential histograms)"
	require.Equal(t, []string{"none", drop, spanMetrics, "memory", "Jaeger, memory", "pebble"}, names(here, here))
	require.Equal(t, []string{"none", drop, spanMetrics, "memory", "pebble"}, names(here, ""))
	require.Equal(t, []string{"none", "memory", "pebble"}, names("not/there", "not/there"))
}

func TestReportComparesWithinAProtocol(t *testing.T) {
	r := newReport(nil)
	row := func(store string, p *peer, protocol string, cpu time.Duration) {
		r.ingest = append(r.ingest, ingestRow{store: store, peer: p, protocol: protocol, cpu: cpu, kernel: cpu / 4, rate: 250_000, peak: 64 << 20})
	}
	other := &peer{name: "Other", binary: thisTest(t), module: "example.org/other", beside: []string{"memory", "pebble"}, does: "does it."}
	row("memory", nil, "gRPC", 2*time.Second)
	require.NotContains(t, r.markdown(), "Beside other servers")
	row("", other, "gRPC", 6*time.Second)
	row("pebble", nil, "gRPC", 4*time.Second)
	row("memory", nil, "HTTP", time.Second)
	row("", other, "HTTP", 500*time.Millisecond)
	ours, beside, found := strings.Cut(r.markdown(), "## Beside other servers")
	require.True(t, found)
	require.NotContains(t, ours, "Other")
	require.Contains(t, ours, "| memory | gRPC | 2.00 | 0.50 | 250k | 64 |  |\n| memory | HTTP | 1.00 | 0.25 | 250k | 64 |  |\n| pebble | gRPC | 4.00 | 1.00 | 250k | 64 |  |\n")
	require.Contains(t, beside, "- **Other** (`example.org/other` version unknown)\n  does it.\n")
	require.Contains(t, beside, "| otelprof, memory | gRPC | 2.00 | 0.50 | 250k | 64 |  |\n"+
		"| Other | gRPC | 6.00 | 1.50 | 250k | 64 | 3.0 × memory, 1.5 × pebble |\n"+
		"| otelprof, pebble | gRPC | 4.00 | 1.00 | 250k | 64 |  |\n"+
		"| otelprof, memory | HTTP | 1.00 | 0.25 | 250k | 64 |  |\n"+
		"| Other | HTTP | 0.50 | 0.12 | 250k | 64 | 0.5 × memory |\n")
	require.Equal(t, 1, strings.Count(beside, "does it."), "once for both protocols")
}

func TestAProcessThatEndsSaysWhy(t *testing.T) {
	p, err := newProcess()
	require.NoError(t, err)
	err = p.run(t.Context(), func() bool { return false }, thisTest(t), "-no-such-flag")
	require.ErrorContains(t, err, "ended instead of being ready")
	require.ErrorContains(t, err, "no-such-flag")
}

func TestAccepted(t *testing.T) {
	partial := func(spans int64, message string) []byte {
		response, err := proto.Marshal(&collectorpb.ExportTraceServiceResponse{
			PartialSuccess: &collectorpb.ExportTracePartialSuccess{RejectedSpans: spans, ErrorMessage: message},
		})
		require.NoError(t, err)
		return response
	}
	require.NoError(t, accepted(nil))
	require.NoError(t, accepted(partial(0, "")))
	require.EqualError(t, accepted(partial(3, "too late")), "3 spans were not taken: too late")
	require.Error(t, accepted(partial(0, "a warning")))
	require.ErrorContains(t, accepted([]byte{0xff}), "the response: ")
}
