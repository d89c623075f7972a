package report

import (
	"bufio"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// exposition writes metric families in Prometheus' text format 0.0.4 or in OpenMetrics 1.0, which differ in where
// the suffix _total stands, in units, exemplars, float literals and the end mark.
type exposition struct {
	w           *bufio.Writer
	openMetrics bool
	// unsampled says that exemplars whose span was not sampled are written too.
	unsampled bool
}

// family is the description of a metric: its name without the suffix _total, type, unit or "", and help. The help
// needs no escaping.
type family struct {
	name, kind, unit, help string
}

// sampleName returns the name that the samples of the family begin with.
func (f family) sampleName() string {
	if f.kind == "counter" {
		return f.name + "_total"
	}
	return f.name
}

// describe writes the lines that introduce a family.
func (e *exposition) describe(f family) {
	name := f.name
	if !e.openMetrics {
		name = f.sampleName()
	}
	e.write("# HELP ", name, " ", f.help, "\n# TYPE ", name, " ", f.kind, "\n")
	if e.openMetrics && f.unit != "" {
		e.write("# UNIT ", name, " ", f.unit, "\n")
	}
}

// sample writes one sample. labels is the inside of the braces; an exemplar is written where the format has them.
func (e *exposition) sample(name, labels, value string, ex core.Exemplar) {
	e.write(name)
	if labels != "" {
		e.write("{", labels, "}")
	}
	e.write(" ", value)
	if e.openMetrics && !ex.IsZero() && (ex.Sampled || e.unsampled) {
		e.write(` # {trace_id="`, hex.EncodeToString(ex.Trace[:]), `",span_id="`, hex.EncodeToString(ex.Span[:]), `"} `,
			e.seconds(ex.Duration), " ", strconv.FormatFloat(float64(ex.Time/1e6)/1e3, 'f', 3, 64))
	}
	e.write("\n")
}

// histogram writes a classic histogram. bounds are in seconds and do not contain +Inf.
func (e *exposition) histogram(name, labels string, bounds []float64, s *core.Stats) {
	prefix := ""
	if labels != "" {
		prefix = labels + ","
	}
	lower := -1.0
	for _, bound := range bounds {
		e.sample(name+"_bucket", prefix+`le="`+e.float(bound)+`"`,
			formatCount(s.Histogram.CountAtMost(nanoseconds(bound))), within(s.Slowest, lower, bound))
		lower = bound
	}
	e.sample(name+"_bucket", prefix+`le="+Inf"`, formatCount(s.Count), within(s.Slowest, lower, math.Inf(1)))
	e.sample(name+"_sum", labels, e.seconds(s.Total), core.Exemplar{})
	e.sample(name+"_count", labels, formatCount(s.Count), core.Exemplar{})
}

// within returns the exemplar if its value lies in the bucket, else none.
func within(ex core.Exemplar, lower, upper float64) core.Exemplar {
	if v := float64(ex.Duration) / 1e9; v > lower && v <= upper {
		return ex
	}
	return core.Exemplar{}
}

// end writes the end mark of OpenMetrics, which tells a reader that nothing is missing.
func (e *exposition) end() {
	if e.openMetrics {
		e.write("# EOF\n")
	}
}

// write writes the parts one after the other. The error is kept by the bufio.Writer.
func (e *exposition) write(parts ...string) {
	for _, p := range parts {
		e.w.WriteString(p)
	}
}

func (e *exposition) seconds(ns uint64) string { return e.float(float64(ns) / 1e9) }

// float writes the shortest text that reads back as v. OpenMetrics has integers apart from floats: its floats have
// a point or an exponent.
func (e *exposition) float(v float64) string {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if e.openMetrics && !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// nanoseconds returns seconds as whole nanoseconds, at most the largest uint64.
func nanoseconds(seconds float64) uint64 {
	ns := math.Round(seconds * 1e9)
	if ns >= math.MaxUint64 {
		return math.MaxUint64
	}
	return uint64(ns)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// label returns name="value" with the value escaped, and made valid UTF-8, without which a whole scrape fails.
func label(name, value string) string {
	return name + `="` + labelEscapes.Replace(validUTF8(value)) + `"`
}
