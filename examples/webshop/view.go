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

// table draws the table over the previous one in a single write, so that it does not flicker. The size is asked for each
// time, because people resize their terminals.
func (v *view) table(s *core.Snapshot) {
	lines := bytes.ReplaceAll(v.frame(s, screenOf(v.out)), []byte("\n"), []byte("\x1b[K\n"))
	fmt.Fprintf(v.out, "\x1b[H%s\x1b[K\x1b[J", lines)
}

// frame returns what fits on the screen: a line more would scroll out the first ones, which matter most.
func (v *view) frame(s *core.Snapshot, size screen) []byte {
	top := v.config.top
	if top <= 0 {
		top = len(s.Blocks)
	}
	for {
		frame := v.rows(s, top, size.width)
		over := bytes.Count(frame, []byte("\n")) + 1 - size.height
		if size.height == 0 || over <= 0 || top == 1 {
			return frame
		}
		top = max(min(top, len(s.Blocks))-over, 1)
	}
}

func (v *view) rows(s *core.Snapshot, top, width int) []byte {
	var frame bytes.Buffer
	fmt.Fprintf(&frame, "%s\n\n", v.banner)
	o := report.TableOptions{Top: top, LineWidth: width, Color: report.IsColorTerminal(v.out)}
	if err := report.Table(&frame, s, o); err != nil {
		fmt.Fprintln(&frame, err)
	}
	fmt.Fprintf(&frame, "\nexported by sampling: %d spans", v.telemetry.raw.Stats().Exported)
	return frame.Bytes()
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
