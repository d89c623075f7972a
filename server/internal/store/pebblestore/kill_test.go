package pebblestore

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// killedDir names the directory of the store of the process that is to be killed.
const killedDir = "OTELPROF_TEST_KILLED_DIR"

// TestKilledProcess is that process: it appends one request after the other from several goroutines, and says of which traces the
// requests were acknowledged. Meanwhile it commits.
func TestKilledProcess(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		t.Skip("this is run by TestKill")
	}
	p := &pipeline{s: openIn(t, nil, dir), acknowledged: map[core.TraceID]int{}}
	var out sync.Mutex
	for worker := range uint64(4) {
		go func() {
			g := storetest.NewGenerator(1000*uint64(os.Getpid()) + worker)
			for {
				m := g.Segment(1)
				m.AddProfiles()
				seq, err := p.s.Append(background, m.Requests(1 << 20)[0])
				if err != nil {
					panic(err)
				}
				out.Lock()
				fmt.Printf("ack %s %d\n", m.Traces[0].ID, len(m.Spans))
				out.Unlock()
				p.mu.Lock()
				p.waiting = append(p.waiting, request{seq, m})
				p.mu.Unlock()
			}
		}()
	}
	for {
		p.mu.Lock()
		some := p.waiting
		p.waiting = nil
		p.mu.Unlock()
		if len(some) > 0 {
			require.NoError(t, p.s.Commit(background, segmentOf(some)))
		}
	}
}

// TestKill kills the process with SIGKILL while it writes, several times on the same directory. Everything that was acknowledged is
// there once.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[core.TraceID]int{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledProcess$")
		cmd.Env = append(os.Environ(), killedDir+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			var id string
			var spans int
			if _, err := fmt.Sscanf(line, "ack %s %d", &id, &spans); err != nil {
				continue // the tests' own output, or half a line
			}
			var trace core.TraceID
			require.NoError(t, trace.UnmarshalText([]byte(id)))
			acknowledged[trace] = spans
			if n == 300+100*round {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.ErrorContains(t, cmd.Wait(), "killed")

		s := openIn(t, nil, dir)
		seen := map[core.TraceID]int{}
		require.NoError(t, s.Replay(background, func(_ uint64, entry []byte, _ store.Bits) error {
			id, n := traceOf(t, entry)
			seen[id] += n
			return nil
		}))
		ids := make([]core.TraceID, 0, len(acknowledged))
		for id := range acknowledged {
			ids = append(ids, id)
		}
		found, err := s.Traces(background, ids, store.Range{})
		require.NoError(t, err)
		for _, tr := range found.Traces {
			seen[tr.ID] += len(tr.Spans)
		}
		for id, n := range acknowledged {
			require.Equal(t, n, seen[id])
		}
		require.Zero(t, s.Counters().Damaged)
		require.NoError(t, s.Close())
	}
	require.Greater(t, len(acknowledged), 1000)
}
