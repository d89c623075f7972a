package report

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// writeHeader writes what the terminal reports start with: whose profile it is, over which time, how much is in
// it, and a warning for everything that is not as complete as the reader would think.
func writeHeader(w *bufio.Writer, s *core.Snapshot, color bool) {
	name := visible(s.Name())
	if name == "" {
		name = unnamed
	}
	w.WriteString(bold.paint("otelprof: "+name, color) + "\n")
	if !s.Start.IsZero() {
		fmt.Fprintf(w, "window %s, %s to %s\n",
			formatDuration(float64(s.Window())), s.Start.UTC().Format(time.RFC3339), s.End.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(w, "spans %s, sites %d, tracks %d, self time %s\n",
		formatCount(s.Counters.Spans), len(s.Blocks), len(s.Tracks()), formatDuration(totalSelf(s)))
	for _, warning := range warnings(s) {
		w.WriteString(yellow.paint("warning: "+warning, color) + "\n")
	}
	w.WriteByte('\n')
}

// warnings returns a line for every counter that is not 0, and one for the tracks that are off.
func warnings(s *core.Snapshot) []string {
	var lines []string
	for _, c := range counters(s.Counters) {
		if c.value > 0 {
			lines = append(lines, c.name+" "+formatCount(c.value)+": "+c.meaning)
		}
	}
	if len(s.DisabledTracks) > 0 {
		tracks := make([]string, len(s.DisabledTracks))
		for i, t := range s.DisabledTracks {
			tracks[i] = visible(t)
		}
		lines = append(lines, "tracks switched off: "+strings.Join(tracks, ", "))
	}
	return lines
}

// totalSelf returns the self time of all blocks in nanoseconds, of which shares are taken.
func totalSelf(s *core.Snapshot) float64 {
	var sum float64
	for i := range s.Blocks {
		sum += float64(s.Blocks[i].Stats.Self)
	}
	return sum
}
