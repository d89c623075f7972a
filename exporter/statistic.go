package exporter

import (
	"math"

	"github.com/stichotrope/stichotrope-go/core"
)

// statistic is one number of core.Stats as a metric of FamilyOtelprof. Writing and reading go through the same table.
type statistic struct {
	// name follows the prefix of the family.
	name, unit, description string
	// monotonic makes it a sum, else it is a gauge.
	monotonic bool
	// always: also where nothing was observed. The others are left out there, which means 0.
	always bool
	// sparse: only where it is not 0.
	sparse bool
	// anySign: the value may be below 0.
	anySign bool
	get     func(*core.Stats) int64
	set     func(*core.Stats, int64)
}

const nanosecond = "ns"

var statistics = []statistic{
	counting("calls", "{call}", "Spans and blocks that ended.",
		func(s *core.Stats) *uint64 { return &s.Count }).everywhere(),
	counting("errors", "{call}", "Spans and blocks that ended with an error.",
		func(s *core.Stats) *uint64 { return &s.Errors }),
	saturating("time.total", nanosecond, "Time from start to end. That of a nested span is in that of every span around it too.",
		func(s *core.Stats) *uint64 { return &s.Total }),
	saturating("time.self", nanosecond, "Time that no local child covers.",
		func(s *core.Stats) *uint64 { return &s.Self }),
	saturating("time.critical", nanosecond, "Time on the critical path of its trace, where critical paths are computed.",
		func(s *core.Stats) *uint64 { return &s.Critical }).whereAny(),
	saturating("calls.unsampled", "", "Calls that sampling dropped, as far as the spans say, in 1024ths of a call.",
		func(s *core.Stats) *uint64 { return &s.Unsampled }).whereAny(),
	counting("bytes", "By", "Bytes that the measured code said it processed.",
		func(s *core.Stats) *uint64 { return &s.Bytes }).whereAny(),
	extreme("duration.min", "Shortest duration.", func(s *core.Stats) *uint64 { return &s.Min }),
	extreme("duration.max", "Longest duration.", func(s *core.Stats) *uint64 { return &s.Max }),
	moment("seen.first", "Earliest start, in Unix time.", func(s *core.Stats) *int64 { return &s.First }),
	moment("seen.last", "Latest end, in Unix time.", func(s *core.Stats) *int64 { return &s.Last }),
}

func (s statistic) everywhere() statistic {
	s.always = true
	return s
}

func (s statistic) whereAny() statistic {
	s.sparse = true
	return s
}

// counting is a sum of whole things. More than 2^63-1 of them do not occur.
func counting(name, unit, description string, field func(*core.Stats) *uint64) statistic {
	return statistic{
		name: name, unit: unit, description: description, monotonic: true,
		get: func(s *core.Stats) int64 { return signed(*field(s)) },
		set: func(s *core.Stats, n int64) { *field(s) = uint64(n) },
	}
}

// saturating is a sum that can reach the end of OTLP's integers: 2^63-1, of times 292 years. There it saturates, and is read
// back as the value at which core's saturates.
func saturating(name, unit, description string, field func(*core.Stats) *uint64) statistic {
	s := counting(name, unit, description, field)
	s.set = func(s *core.Stats, n int64) {
		if *field(s) = uint64(n); n == math.MaxInt64 {
			*field(s) = math.MaxUint64
		}
	}
	return s
}

func extreme(name, description string, field func(*core.Stats) *uint64) statistic {
	s := counting(name, nanosecond, description, field)
	s.monotonic = false
	return s
}

func moment(name, description string, field func(*core.Stats) *int64) statistic {
	return statistic{
		name: name, unit: nanosecond, description: description, anySign: true,
		get: func(s *core.Stats) int64 { return *field(s) },
		set: func(s *core.Stats, n int64) { *field(s) = n },
	}
}

// counters are the names of core.Counters in the attribute otelprof.counter.
var counters = []struct {
	name  string
	field func(*core.Counters) *uint64
}{
	{"spans", func(c *core.Counters) *uint64 { return &c.Spans }},
	{"overflow_sites", func(c *core.Counters) *uint64 { return &c.OverflowSites }},
	{"overflow_nodes", func(c *core.Counters) *uint64 { return &c.OverflowNodes }},
	{"evicted", func(c *core.Counters) *uint64 { return &c.Evicted }},
	{"unstarted", func(c *core.Counters) *uint64 { return &c.Unstarted }},
	{"detached", func(c *core.Counters) *uint64 { return &c.Detached }},
	{"settled", func(c *core.Counters) *uint64 { return &c.Settled }},
	{"duplicates", func(c *core.Counters) *uint64 { return &c.Duplicates }},
	{"clamped", func(c *core.Counters) *uint64 { return &c.Clamped }},
	{"truncated", func(c *core.Counters) *uint64 { return &c.Truncated }},
	{"self_inexact", func(c *core.Counters) *uint64 { return &c.SelfInexact }},
	{"panics", func(c *core.Counters) *uint64 { return &c.Panics }},
}
