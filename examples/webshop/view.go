package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// view shows the profile while the shop runs: the table, refreshed in place, on a terminal, and a line now and then
// elsewhere.
type view struct {
	config    config
	telemetry *telemetry
	banner    string
	out       *os.File
	terminal  bool
	started   time.Time
	stop      chan struct{}
	stopped   sync.WaitGroup
}

// startView begins to show the profile. The exported spans share the terminal with it, so there is no table if they
// are printed.
func startView(c config, t *telemetry, banner string, out *os.File) *view {
	v := &view{
		config: c, telemetry: t, banner: banner, out: out,
		terminal: isTerminal(out) && !c.printSpans, started: time.Now(), stop: make(chan struct{}),
	}
	v.stopped.Go(v.refresh)
	return v
}

// close ends the view and gives the terminal back.
func (v *view) close() {
	close(v.stop)
	v.stopped.Wait()
}

func (v *view) refresh() {
	interval, show := 10*v.config.refresh, v.line
	if v.terminal {
		interval, show = v.config.refresh, v.table
		// Use the alternate screen, and cut long lines instead of wrapping them.
		fmt.Fprint(v.out, "\x1b[?1049h\x1b[?7l")
		defer fmt.Fprint(v.out, "\x1b[?7h\x1b[?1049l")
		show(v.telemetry.profiler.Snapshot())
	} else {
		fmt.Fprintln(v.out, v.banner)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-v.stop:
			return
		case <-tick.C:
			show(v.telemetry.profiler.Snapshot())
		}
	}
}

// table draws the table over the previous one in a single write, so that it does not flicker.
func (v *view) table(s *core.Snapshot) {
	var frame bytes.Buffer
	fmt.Fprintf(&frame, "%s\n\n", v.banner)
	if err := report.Table(&frame, s, report.TableOptions{Top: v.config.top, Color: report.IsColorTerminal(v.out)}); err != nil {
		fmt.Fprintln(&frame, err)
	}
	fmt.Fprintf(&frame, "\nexported by sampling: %d spans", v.telemetry.raw.Stats().Exported)
	lines := bytes.ReplaceAll(frame.Bytes(), []byte("\n"), []byte("\x1b[K\n"))
	fmt.Fprintf(v.out, "\x1b[H%s\x1b[K\x1b[J", lines)
}

func (v *view) line(s *core.Snapshot) {
	var busiest core.Block
	for _, b := range s.Blocks {
		if b.Stats.Self > busiest.Stats.Self {
			busiest = b
		}
	}
	fmt.Fprintf(v.out, "%4.0fs: %d spans profiled, %d exported; most self time: %s in %q\n", time.Since(v.started).Seconds(),
		s.Counters.Spans, v.telemetry.raw.Stats().Exported, time.Duration(busiest.Stats.Self).Round(time.Millisecond), busiest.Site.Name)
}

// isTerminal reports whether f is a terminal that understands control sequences.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
