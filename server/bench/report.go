package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what was measured.
type report struct {
	args []string
	load load

	ingest []ingestRow // in the order in which they were measured
	// steadyPeak is the memory, in bytes, at steadyReached spans a second.
	steadyPeak, steadyReached float64

	queries       []queryRow
	largeSpans    int
	largePerSpan  float64
	restart       time.Duration
	began         time.Time
	loadOfMachine string
}

func newReport(args []string) *report {
	average, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(average), " ")
	return &report{args: args, began: time.Now(), loadOfMachine: load}
}

// target is a row of the table of targets.
type target struct {
	what, limit, measured string
	met                   bool
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks of the server\n\nThe real binary, as a process of its own, on loopback; the sender shares the CPUs with it. CPU time is user and system,\n"+
		"from its start to its end. Much of the kernel's is the first touch of memory: on a small virtual machine it depends on how the host has\n"+
		"its memory at the time, and varies several times over from hour to hour. The traffic is that of `otelprof demo`, %.0f bytes a span, %d spans a request.\n\n", r.bytesPerSpan(), perRequest)
	fmt.Fprintf(&b, "- date: %s\n- machine: %d CPUs, %s\n- Go: %s\n- load before: %s\n- command: `go run ./server/bench %s`\n\n", r.began.Format(time.DateOnly),
		runtime.NumCPU(), processor(), runtime.Version(), r.loadOfMachine, strings.Join(r.args, " "))
	b.WriteString("## Targets\n\n| what | target | measured | |\n|---|---:|---:|---:|\n")
	for _, t := range r.targets() {
		verdict := "met"
		if !t.met {
			verdict = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.what, t.limit, t.measured, verdict)
	}
	fmt.Fprintf(&b, "\n## Receiving %d spans\n\n| store | protocol | CPU s per million spans | of it the kernel's | spans/s | peak memory, MiB | bytes on disk per span |\n|---|---|---:|---:|---:|---:|---:|\n", r.load.spans)
	for _, row := range r.ours() {
		disk := ""
		if row.perSpan > 0 {
			disk = fmt.Sprintf("%.1f", row.perSpan)
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f | %.0fk | %.0f | %s |\n", row.store, row.protocol, row.cpu.Seconds(), row.kernel.Seconds(), row.rate/1000, row.peak/(1<<20), disk)
	}
	if r.steadyPeak > 0 {
		fmt.Fprintf(&b, "\nAt a steady rate of %.0fk spans a second, stored durably, the memory peaks at %.0f MiB.\n", r.steadyReached/1000, r.steadyPeak/(1<<20))
	}
	b.WriteString(r.besideOthers())
	if len(r.queries) > 0 {
		fmt.Fprintf(&b, "\n## Queries\n\nEach asked %d times, over HTTP, while nothing is received. Right after a burst most of its traces still wait for more spans, and\nboth processors put others into the store.", queryTimes)
		if r.largeSpans > 0 {
			fmt.Fprintf(&b, " The store of %d spans takes %.1f bytes a span on disk and is\nready %.2f s after the start of the process.",
				r.largeSpans, r.largePerSpan, r.restart.Seconds())
		}
		b.WriteString("\n\n| query | spans in the store | p50, ms | p95, ms |\n|---|---:|---:|---:|\n")
		for _, q := range r.queries {
			fmt.Fprintf(&b, "| %s | %d | %.1f | %.1f |\n", q.what, q.spans, milliseconds(q.p50), milliseconds(q.p95))
		}
	}
	return b.String()
}

// ours returns the rows of our server, by store.
func (r *report) ours() []ingestRow {
	list := slices.DeleteFunc(slices.Clone(r.ingest), func(row ingestRow) bool { return row.peer != nil })
	slices.SortStableFunc(list, func(a, b ingestRow) int {
		return cmp.Compare(slices.Index(stores, a.store), slices.Index(stores, b.store))
	})
	return list
}

// besideOthers returns the section that compares, or nothing if no peer was measured.
func (r *report) besideOthers() string {
	var peers []*peer
	var table strings.Builder
	for _, row := range r.ingest {
		name := "otelprof, " + row.store
		if row.peer != nil {
			name = row.peer.name
			if !slices.Contains(peers, row.peer) {
				peers = append(peers, row.peer)
			}
		}
		fmt.Fprintf(&table, "| %s | %s | %.2f | %.2f | %.0fk | %.0f | %s |\n",
			name, row.protocol, row.cpu.Seconds(), row.kernel.Seconds(), row.rate/1000, row.peak/(1<<20), r.timesOurs(row))
	}
	if len(peers) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n## Beside other servers\n\nThe same requests from the same sender, one server after the other in the order of the table, CPU time and memory measured\n" +
		"alike, garbage collected as each does by itself unless GOGC is set. The last column is the CPU time as a multiple of otelprof's\n" +
		"with the store that does the comparable job.\n\n")
	for _, p := range peers {
		fmt.Fprintf(&b, "- **%s** (`%s` %s)\n  %s\n", p.name, p.module, p.version(), p.does)
	}
	b.WriteString("\n| server | protocol | CPU s per million spans | of it the kernel's | spans/s | peak memory, MiB | CPU time beside otelprof's |\n|---|---|---:|---:|---:|---:|---:|\n")
	return b.String() + table.String()
}

// timesOurs says how many times the CPU of ours a peer takes.
func (r *report) timesOurs(row ingestRow) string {
	var list []string
	if row.peer == nil {
		return ""
	}
	for _, store := range row.peer.beside {
		for _, our := range r.ingest {
			if our.store == store && our.protocol == row.protocol {
				list = append(list, fmt.Sprintf("%.1f × %s", row.cpu.Seconds()/our.cpu.Seconds(), store))
			}
		}
	}
	return strings.Join(list, ", ")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (r *report) bytesPerSpan() float64 { return float64(r.load.bytes) / float64(max(r.load.spans, 1)) }

func (r *report) targets() []target {
	var list []target
	atMost := func(what string, limit, measured float64, format string) {
		list = append(list, target{what, "≤ " + fmt.Sprintf(format, limit), fmt.Sprintf(format, measured), measured <= limit})
	}
	for _, row := range r.ours() {
		switch row.store {
		case "none":
			atMost("statistics only, over "+row.protocol, 0.8, row.cpu.Seconds(), "%.2f CPU s/M")
		case "pebble":
			atMost("stored durably, over "+row.protocol, 2.5, row.cpu.Seconds(), "%.2f CPU s/M")
			atMost("on disk, over "+row.protocol, 60, row.perSpan, "%.1f B/span")
		}
	}
	if r.steadyPeak > 0 {
		atMost("memory at 100 k spans a second", 300, r.steadyPeak/(1<<20), "%.0f MiB")
	}
	limits := map[string]float64{
		"trace by id": 5, "search by service, operation and duration": 20, "search by attribute": 20, "blocks over 24 h": 50,
	}
	for _, q := range r.queries {
		if limit, ok := limits[q.what]; ok {
			atMost(fmt.Sprintf("%s, %d spans, p50", q.what, q.spans), limit, milliseconds(q.p50), "%.1f ms")
		}
	}
	if r.restart > 0 {
		atMost(fmt.Sprintf("restart with %d spans", r.largeSpans), 2, r.restart.Seconds(), "%.2f s")
	}
	return list
}

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
