package blackbox

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// heapAllocated is what the heap profile says of the heap after a collection.
var heapAllocated = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

// liveHeap collects garbage in the server and returns what is left, in bytes.
func (s *server) liveHeap() int {
	s.t.Helper()
	found := heapAllocated.FindSubmatch(s.fetch("/debug/pprof/heap?gc=1&debug=1"))
	require.NotNil(s.t, found)
	n, err := strconv.Atoi(string(found[1]))
	require.NoError(s.t, err)
	return n
}

// TestSoak sends for as long as OTELPROF_TEST_SOAK says, such as 10m, while old data are removed, and wants a live heap that
// does not grow from the second third of the time to the last.
func TestSoak(t *testing.T) {
	text := os.Getenv("OTELPROF_TEST_SOAK")
	if text == "" {
		t.Skip("takes minutes: OTELPROF_TEST_SOAK=10m runs it")
	}
	length, err := time.ParseDuration(text)
	require.NoError(t, err)
	s := start(t, t.TempDir(), "--debug", "--retention", "5m", "--retention-bytes", "16MiB", "--memory", "64MiB").run()
	var heaps []int
	sent := uint64(0)
	began := time.Now()
	for round := 1; time.Since(began) < length || round <= 9; round++ {
		sent += uint64(s.sendDemo("--spans", "20000", "--seed", strconv.Itoa(round)).Spans)
		s.waitForFiling()
		heaps = append(heaps, s.liveHeap())
	}
	require.Contains(t, string(s.fetch("/metrics")), "otelprof_pipeline_received_spans_total "+strconv.FormatFloat(float64(sent), 'g', -1, 64)+"\n")
	third := len(heaps) / 3
	second, last := slices.Clone(heaps[third:2*third]), slices.Clone(heaps[2*third:])
	slices.Sort(second)
	slices.Sort(last)
	before, after := second[len(second)/2], last[len(last)/2]
	t.Logf("%d spans in %d rounds; live heap %d, then %d bytes", sent, len(heaps), before, after)
	require.Less(t, after, before+before/4+8<<20, "the live heaps were %v", heaps)
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
}
