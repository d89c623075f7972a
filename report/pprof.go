package report

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// PprofOptions are the options of [Pprof].
type PprofOptions struct {
	// SampleType is the sample type that pprof shows unless told otherwise: count, total, self, errors or, if there are
	// critical paths, critical; self by default.
	SampleType string
}

// Pprof writes the call tree as a gzipped profile.proto, for go tool pprof and everything else that reads it. Every
// node is one sample whose stack is the node's path. The sample types are:
//
//   - count (count): flat is the number of calls of a site, cum that of everything it called as well.
//   - total (nanoseconds): cum is the total time of a site, as in the table, and counts recursion once. A node's
//     value is its total less the totals of its children, which makes the values of a path add up to the total of
//     its root. It is negative where children ran at the same time or outlived their parent.
//   - self (nanoseconds): flat is the self time of a site, cum the self time of everything below it. Where children
//     run at the same time cum is more than the time that passed.
//   - errors (count): flat is the number of calls that ended with an error.
//   - critical (nanoseconds), only where there are critical paths: flat is the time of a site on those of its traces.
//
// So "pprof -top" is where time goes, and "pprof -top -cum -sample_index=total" is the table sorted by total.
//
// A frame is named "span (function)", or "span [track]" where the function is unknown, so that both names can be
// searched for; its system name is the function or "track/span". The track of a service is "service/track" there. Samples
// have the labels service, track and kind of their site, those that are not empty. Every call is in the profile: the
// period is one call. Profiler names and warnings are comments. Values beyond the largest int64 are cut to it.
func Pprof(w io.Writer, s *core.Snapshot, o PprofOptions) error {
	if o.SampleType == "" {
		o.SampleType = "self"
	}
	types := pprofTypes
	if !extrasOf(s).critical {
		types = types[:len(types)-1]
	}
	if names := pprofTypeNames(types); !slices.Contains(names, o.SampleType) {
		return fmt.Errorf("pprof: unknown sample type %q, want one of %s", o.SampleType, strings.Join(names, ", "))
	}
	zw := gzip.NewWriter(w)
	p := &pprofWriter{w: zw, snapshot: s, types: types, indexes: map[string]int64{"": 0}, strings: []string{""}}
	p.writeHeader(o.SampleType)
	p.writeSamples()
	p.writeLocations()
	for _, text := range p.strings {
		p.message.bytes(profileStringTable, []byte(text))
	}
	p.flush()
	if p.err == nil {
		p.err = zw.Close()
	}
	if p.err != nil {
		return fmt.Errorf("write pprof profile: %w", p.err)
	}
	return nil
}

// The field numbers of the message Profile. Those of its parts are next to where they are written.
const (
	profileSampleType        = 1
	profileSample            = 2
	profileMapping           = 3
	profileLocation          = 4
	profileFunction          = 5
	profileStringTable       = 6
	profileTimeNanos         = 9
	profileDurationNanos     = 10
	profilePeriodType        = 11
	profilePeriod            = 12
	profileComment           = 13
	profileDefaultSampleType = 14
)

// pprofTypes are the sample types, name and unit, in the order of the values of a sample. Not every profile has the last.
var pprofTypes = [][2]string{
	{"count", "count"}, {"total", "nanoseconds"}, {"self", "nanoseconds"}, {"errors", "count"}, {"critical", "nanoseconds"},
}

func pprofTypeNames(types [][2]string) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t[0]
	}
	return names
}

type pprofWriter struct {
	w        io.Writer
	snapshot *core.Snapshot
	types    [][2]string
	message  protoMessage
	// strings is the string table, indexes the place of each text in it.
	strings []string
	indexes map[string]int64
	err     error
}

// text returns the index of a text in the string table.
func (p *pprofWriter) text(s string) int64 {
	i, ok := p.indexes[s]
	if !ok {
		i = int64(len(p.strings))
		p.strings = append(p.strings, s)
		p.indexes[s] = i
	}
	return i
}

// flush keeps the first error; after it nothing is written.
func (p *pprofWriter) flush() {
	if p.err == nil {
		p.err = p.message.flush(p.w)
	}
}

func (p *pprofWriter) valueType(t [2]string) protoMessage {
	var m protoMessage
	m.varint(1, p.text(t[0]))
	m.varint(2, p.text(t[1]))
	return m
}

func (p *pprofWriter) writeHeader(sampleType string) {
	m := &p.message
	for _, t := range p.types {
		m.bytes(profileSampleType, p.valueType(t))
	}
	if start := p.snapshot.Start; !start.IsZero() {
		m.varint(profileTimeNanos, start.UnixNano())
		m.varint(profileDurationNanos, int64(p.snapshot.Window()))
	}
	m.bytes(profilePeriodType, p.valueType(pprofTypes[0]))
	m.varint(profilePeriod, 1)
	m.varint(profileDefaultSampleType, p.text(sampleType))
	comments := []string{"otelprof: " + visible(p.snapshot.Name())}
	for _, warning := range warnings(p.snapshot) {
		comments = append(comments, "warning: "+warning)
	}
	for _, c := range comments {
		m.varint(profileComment, p.text(c))
	}
	p.flush()
}

// location returns the id of the location, and of the function, of a block; that of block -1 is the root of what
// is pending. Ids are not 0.
func (p *pprofWriter) location(block int) int64 {
	if block < 0 {
		block = len(p.snapshot.Blocks)
	}
	return int64(block) + 1
}

func (p *pprofWriter) writeSamples() {
	calls := callTree(p.snapshot)
	exclusive := make([]int64, len(calls))
	for i, c := range calls {
		total := saturate(c.stats.Total)
		exclusive[i] = total
		if p := c.parent; p >= 0 {
			exclusive[p] = max(exclusive[p], math.MinInt64+total) - total
		}
	}
	var path, stack []int64
	for i, c := range calls {
		path = append(path[:c.depth], p.location(c.block))
		st := c.stats
		values := []int64{saturate(st.Count), exclusive[i], saturate(st.Self), saturate(st.Errors), saturate(st.Critical)}
		values = values[:len(p.types)]
		if !slices.ContainsFunc(values, func(v int64) bool { return v != 0 }) {
			continue
		}
		stack = append(stack[:0], path...)
		slices.Reverse(stack) // the leaf comes first
		var m protoMessage
		m.packed(1, stack)
		m.packed(2, values)
		if c.block >= 0 {
			site := p.snapshot.Blocks[c.block].Site
			p.label(&m, "service", visible(site.Service))
			p.label(&m, "track", visible(site.Track))
			p.label(&m, "kind", site.Kind.String())
		}
		p.message.bytes(profileSample, m)
		p.flush()
	}
}

// label adds a label to a sample. An empty text is not a label: it could not be told from the number 0.
func (p *pprofWriter) label(sample *protoMessage, key, text string) {
	if text == "" {
		return
	}
	var m protoMessage
	m.varint(1, p.text(key))
	m.varint(2, p.text(text))
	sample.bytes(3, m)
}

// writeLocations writes a mapping that says that there is nothing to be looked up in a binary, and the locations.
func (p *pprofWriter) writeLocations() {
	var mapping protoMessage
	mapping.varint(1, mappingID)
	mapping.varint(7, 1) // has_functions
	mapping.varint(8, 1) // has_filenames
	mapping.varint(9, 1) // has_line_numbers
	p.message.bytes(profileMapping, mapping)
	for i := range p.snapshot.Blocks {
		s := p.snapshot.Blocks[i].Site
		name, system := pprofNames(s)
		p.writeLocation(p.location(i), name, system, visible(s.File), int64(s.Line))
	}
	p.writeLocation(p.location(-1), pendingName, "otelprof/pending", "", 0)
}

const mappingID = 1

func (p *pprofWriter) writeLocation(id int64, name, system, file string, lineNumber int64) {
	// The function's start_line stays unset: the line of a site is where its span starts.
	var function, line, location protoMessage
	function.varint(1, id)
	function.varint(2, p.text(name))
	function.varint(3, p.text(system))
	function.varint(4, p.text(file))
	p.message.bytes(profileFunction, function)
	line.varint(1, id)
	line.varint(2, lineNumber)
	location.varint(1, id)
	location.varint(2, mappingID)
	location.bytes(4, line)
	p.message.bytes(profileLocation, location)
	p.flush()
}

// pprofNames returns the name and the system name of a site's function. They always differ, which tells pprof that
// the name is final: it would take one with brackets for C++ and cut the brackets out.
func pprofNames(s core.Site) (name, system string) {
	if s.Function == "" {
		return siteLabel(s), visible(trackName(s.Service, s.Track)) + "/" + siteName(s)
	}
	return siteName(s) + " (" + visible(s.Function) + ")", visible(s.Function)
}

// saturate returns n as an int64, or the largest if it is more.
func saturate(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
