package report

import "github.com/stichotrope/stichotrope-go/core"

// counter is one of core.Counters with what people need to read it.
type counter struct {
	// name is the counter's name in JSON and, with a prefix, in Prometheus.
	name string
	// meaning is what it counts.
	meaning string
	value   uint64
}

// counters returns all counters but Spans: each of them is a reason to look twice if it is not 0.
func counters(c core.Counters) []counter {
	return []counter{
		{"overflow_sites", "observations beyond the limit of sites, all in the site " + core.OverflowName, c.OverflowSites},
		{"overflow_nodes", "observations beyond the limits of the tree, in its branch " + core.OverflowName, c.OverflowNodes},
		{"evicted", "open spans given up because of the limit of active spans", c.Evicted},
		{"unstarted", "spans that ended without a known start, filed as roots with all their time as self time", c.Unstarted},
		{"detached", "spans that started when their local parent had ended or was not seen, filed as roots", c.Detached},
		{"settled", "spans filed under the present names of ancestors still open", c.Settled},
		{"duplicates", "ignored ends of spans that had already ended", c.Duplicates},
		{"clamped", "spans that ended before they started, counted with duration 0", c.Clamped},
		{"truncated", "names cut or repaired", c.Truncated},
		{"self_inexact", "spans whose self time is only an upper bound", c.SelfInexact},
		{"panics", "panics recovered in the profiler or in functions given to it", c.Panics},
	}
}
