package blackbox

import (
	"cmp"
	"encoding/json"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/demo"
)

// block is what these tests read of an element of /api/v1/blocks.
type block struct {
	Service string `json:"service"`
	Track   string `json:"track"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Pending int64  `json:"pending"`
	Stats   struct {
		Count    uint64  `json:"count"`
		Errors   uint64  `json:"errors"`
		Total    uint64  `json:"total_ns"`
		Self     uint64  `json:"self_ns"`
		Critical uint64  `json:"critical_ns"`
		Min      uint64  `json:"min_ns"`
		Max      uint64  `json:"max_ns"`
		P50      float64 `json:"p50_ns"`
		P90      float64 `json:"p90_ns"`
		P95      float64 `json:"p95_ns"`
		P99      float64 `json:"p99_ns"`
	} `json:"stats"`
}

// blocks returns the blocks of all time.
func (s *server) blocks() []block {
	s.t.Helper()
	var answer struct {
		Blocks []block `json:"blocks"`
	}
	s.get("/api/v1/blocks?since=all&limit=10000", &answer)
	return answer.Blocks
}

// requireTruth compares all statistics with the truth. Self times are right when traces are whole.
func (s *server) requireTruth(truth demo.Summary, whole bool) {
	s.t.Helper()
	have := s.blocks()
	require.Len(s.t, have, len(truth.Operations))
	slices.SortFunc(have, func(a, b block) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Track, b.Track), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	for i, want := range truth.Operations {
		got := have[i]
		require.Equal(s.t, [4]string{want.Service, want.Track, want.Name, want.Kind}, [4]string{got.Service, got.Track, got.Name, got.Kind})
		require.Equal(s.t, [5]uint64{want.Count, want.Errors, want.Total, want.Min, want.Max},
			[5]uint64{got.Stats.Count, got.Stats.Errors, got.Stats.Total, got.Stats.Min, got.Stats.Max}, "%s %s", want.Service, want.Name)
		for _, q := range [][2]float64{
			{float64(want.P50), got.Stats.P50}, {float64(want.P90), got.Stats.P90}, {float64(want.P95), got.Stats.P95}, {float64(want.P99), got.Stats.P99},
		} {
			require.InEpsilon(s.t, q[0], q[1], 0.01, "a quantile of %s %s", want.Service, want.Name)
		}
		if whole {
			require.Equal(s.t, want.Self, got.Stats.Self, "self time of %s %s", want.Service, want.Name)
		}
	}
}

// waitForFiling waits until no span is pending.
func (s *server) waitForFiling() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return !slices.ContainsFunc(s.blocks(), func(b block) bool { return b.Pending > 0 })
	}, time.Minute, 100*time.Millisecond)
}

// TestEveryStoreTellsTheTruth sends the demo's traffic over both protocols and compares every statistic.
func TestEveryStoreTellsTheTruth(t *testing.T) {
	for _, c := range []struct{ store, protocol string }{{"pebble", "grpc"}, {"pebble", "http"}, {"memory", "http"}, {"none", "grpc"}} {
		t.Run(c.store+" "+c.protocol, func(t *testing.T) {
			// A trace waits long enough for all of its services, also on a busy machine.
			s := start(t, t.TempDir(), "--store", c.store, "--trace-grace", "3s", "--trace-idle", "3s").run()
			endpoint := s.grpc
			if c.protocol == "http" {
				endpoint = s.http
			}
			truth := s.sendDemo("--spans", "6000", "--seed", "3", "--protocol", c.protocol, "--endpoint", "http://"+endpoint)
			s.requireTruth(truth, false) // at once: what is acknowledged is counted
			s.waitForFiling()
			s.requireTruth(truth, true)
			require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
		})
	}
}

// TestNothingAcknowledgedIsLost kills the server in the midst of its work, several times, and compares.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	data := t.TempDir()
	args := []string{"--trace-grace", "300ms", "--trace-idle", "600ms"}
	sum := map[[4]string]demo.Operation{}
	for round := range 4 {
		s := start(t, data, args...).run()
		for _, o := range s.sendDemo("--spans", "3000", "--seed", string(rune('1'+round))).Operations {
			k := [4]string{o.Service, o.Track, o.Name, o.Kind}
			have, known := sum[k]
			if !known {
				have.Min = o.Min
			}
			sum[k] = demo.Operation{Count: have.Count + o.Count, Errors: have.Errors + o.Errors, Total: have.Total + o.Total,
				Min: min(have.Min, o.Min), Max: max(have.Max, o.Max)}
		}
		_ = s.end(syscall.SIGKILL) // its error says just that
	}
	s := start(t, data, args...).run()
	have := s.blocks()
	require.Len(t, have, len(sum))
	for _, b := range have {
		want := sum[[4]string{b.Service, b.Track, b.Name, b.Kind}]
		require.Equal(t, [5]uint64{want.Count, want.Errors, want.Total, want.Min, want.Max},
			[5]uint64{b.Stats.Count, b.Stats.Errors, b.Stats.Total, b.Stats.Min, b.Stats.Max}, "%s %s", b.Service, b.Name)
	}
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
}

// TestTracesComeBackWhole reads what the search finds by Jaeger's API and by ours.
func TestTracesComeBackWhole(t *testing.T) {
	s := start(t, t.TempDir(), "--trace-grace", "200ms", "--trace-idle", "400ms").run()
	truth := s.sendDemo("--spans", "2000")
	var found struct {
		Data []struct {
			TraceID string            `json:"traceID"`
			Spans   []json.RawMessage `json:"spans"`
		} `json:"data"`
	}
	s.get("/api/traces?service=web&limit=10000&lookback=2h", &found)
	require.Len(t, found.Data, int(truth.Traces))
	spans := 0
	for _, trace := range found.Data {
		spans += len(trace.Spans)
	}
	require.EqualValues(t, truth.Spans, spans)
	var trace struct {
		Spans []json.RawMessage `json:"spans"`
	}
	s.get("/api/v1/traces/"+found.Data[0].TraceID, &trace)
	require.Len(t, trace.Spans, len(found.Data[0].Spans))
	require.Contains(t, string(s.fetch("/blocks")), "/assets/app.js")
	require.Contains(t, string(s.fetch("/api/v1/profile?since=all&format=table")), "SELECT stock")
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
}
