package exporter

import (
	"cmp"
	"encoding/binary"
	"slices"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

const (
	// formatVersion changes when readers of this version would misunderstand what is written.
	formatVersion = 2
	// oldFormatVersion is read too.
	oldFormatVersion = 1

	windowName  = "profile"
	outsideName = "(outside the tree)"
	unnamed     = "(unnamed)"

	temporalityDelta      = "delta"
	temporalityCumulative = "cumulative"
)

// spanEncoder turns one window into the spans of one trace.
type spanEncoder struct {
	attributes
	window *window
	trace  []byte
	// firstID is the id of the window's span; the others follow it in the order in which they are sent. Ids that differ in
	// their last bytes only compress to almost nothing.
	firstID uint64

	boxes []box
	spans []*tracepb.Span
	// sizes bound the encoded size of each span in bytes.
	sizes []int
	// blocks are the indexes of the spans' sites, -1 for none.
	blocks []int
	// ofSite are the attributes of sites, shared by all spans of a site.
	ofSite [][]*commonpb.KeyValue
	// siteSizes bound their size.
	siteSizes []int
	// outside is what each block has besides its nodes.
	outside []core.Stats
	// detailed are the nodes that show their mean and quantiles.
	detailed []bool
}

// encodeWindow returns the spans that show a window, that of the window first, and bounds of their encoded sizes. The spans of
// a site follow one another: what they have in common is then near enough for a compressor to see.
func encodeWindow(w *window, trace core.TraceID, firstID uint64) (spans []*tracepb.Span, sizes []int) {
	s := w.profile
	e := &spanEncoder{
		window: w, trace: trace[:], firstID: firstID,
		ofSite: make([][]*commonpb.KeyValue, len(s.Blocks)), siteSizes: make([]int, len(s.Blocks)),
	}
	e.chooseDetailed()
	var start int64
	var length uint64
	if !s.Start.IsZero() {
		start, length = s.Start.UnixNano(), uint64(max(s.Window(), 0))
	}
	root := e.begin(-1, windowName, roleWindow, length)
	e.finish(root)
	e.tracks()
	shift := layOut(e.boxes, start)
	origin := uint64(max(start, 0))
	for i, span := range e.spans {
		span.StartTimeUnixNano, span.EndTimeUnixNano = origin+e.boxes[i].start, origin+e.boxes[i].end
	}
	e.describeWindow(e.spans[root], shift)
	e.sizes[root] += e.size
	return e.bySite()
}

// bySite gives the spans their order and their ids.
func (e *spanEncoder) bySite() (spans []*tracepb.Span, sizes []int) {
	order := make([]int, len(e.spans))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(e.blocks[i], e.blocks[j]), cmp.Compare(i, j)) })
	for at, i := range order {
		e.spans[i].SpanId = binary.BigEndian.AppendUint64(nil, e.firstID+uint64(at))
	}
	for _, i := range order {
		if parent := e.boxes[i].parent; parent >= 0 {
			e.spans[i].ParentSpanId = e.spans[parent].SpanId
		}
		spans, sizes = append(spans, e.spans[i]), append(sizes, e.sizes[i])
	}
	return spans, sizes
}

// begin adds a span and returns its index; finish ends what begin began.
func (e *spanEncoder) begin(parent int, name, role string, total uint64) int {
	i := len(e.spans)
	e.size = 0
	if name == "" {
		name = unnamed
	}
	span := &tracepb.Span{
		TraceId: e.trace, Name: name, Kind: tracepb.Span_SPAN_KIND_INTERNAL,
		Attributes: make([]*commonpb.KeyValue, 0, 24),
	}
	e.add(span, e.text(attrRole, role))
	e.boxes = append(e.boxes, box{parent: parent, total: total})
	e.spans, e.blocks = append(e.spans, span), append(e.blocks, -1)
	return i
}

func (e *spanEncoder) finish(i int) {
	const overheadOfSpan = 80 // ids, times, kind, status
	e.sizes = append(e.sizes, e.size+len(e.spans[i].Name)+overheadOfSpan)
}

// tracks adds everything below the window: for each track its part of the call tree, and what is outside of it.
func (e *spanEncoder) tracks() {
	s := e.window.profile
	outside := e.findOutside()
	at := 0
	for _, t := range s.Tracks() {
		roots := at
		for at < len(s.Nodes) && (s.Nodes[at].Parent >= 0 || isOf(s.Site(s.Nodes[at]), &t)) {
			at++
		}
		var apart []int
		for len(outside) > 0 && isOf(s.Blocks[outside[0]].Site, &t) {
			apart, outside = append(apart, outside[0]), outside[1:]
		}
		if roots == at && len(apart) == 0 {
			continue // all of it is below other tracks
		}
		track := e.begin(0, trackName(&t), roleTrack, 0)
		e.spans[track].Attributes = append(e.spans[track].Attributes, e.trackAttributes(t.Service, t.Name)...)
		e.setSummary(e.spans[track], &t.Stats)
		e.finish(track)
		e.nodes(track, roots, at)
		e.apart(track, apart)
	}
}

func isOf(s core.Site, t *core.Track) bool { return s.Service == t.Service && s.Track == t.Name }

func trackName(t *core.Track) string {
	if t.Service == "" {
		return t.Name
	}
	return t.Service + ": " + t.Name
}

// nodes adds the nodes from index begin to end, whose roots stand below the span of a track.
func (e *spanEncoder) nodes(track, begin, end int) {
	s := e.window.profile
	offset := len(e.spans) - begin
	for i := begin; i < end; i++ {
		n := &s.Nodes[i]
		parent := track
		if n.Parent >= 0 {
			parent = n.Parent + offset
		}
		span := e.beginSite(parent, n.Block, roleNode, n.Stats.Total)
		e.setStatistics(e.spans[span], n.Stats, e.detailed[i])
		e.finish(span)
	}
}

// chooseDetailed sets detailed: the nodes with the greatest totals.
func (e *spanEncoder) chooseDetailed() {
	nodes := e.window.profile.Nodes
	e.detailed = make([]bool, len(nodes))
	order := make([]int, len(nodes))
	for i := range order {
		order[i] = i
	}
	if len(nodes) > e.window.detailed {
		slices.SortFunc(order, func(i, j int) int {
			return cmp.Or(cmp.Compare(nodes[j].Stats.Total, nodes[i].Stats.Total), cmp.Compare(i, j))
		})
		order = order[:e.window.detailed]
	}
	for _, i := range order {
		e.detailed[i] = true
	}
}

// findOutside sets outside and returns the blocks of which the nodes do not tell everything.
func (e *spanEncoder) findOutside() []int {
	s := e.window.profile
	sums, inTree := nodeSums(s)
	e.outside = make([]core.Stats, len(s.Blocks))
	var list []int
	for i := range s.Blocks {
		e.outside[i] = outsideOf(&s.Blocks[i].Stats, &sums[i])
		if !inTree[i] || e.outside[i].Active != 0 || !isNothing(&e.outside[i], &sums[i]) {
			list = append(list, i)
		}
	}
	return list
}

// apart adds what blocks have besides their nodes.
func (e *spanEncoder) apart(track int, blocks []int) {
	if len(blocks) == 0 {
		return
	}
	group := e.begin(track, outsideName, roleGroup, 0)
	e.finish(group)
	for _, i := range blocks {
		d := e.outside[i]
		span := e.beginSite(group, i, roleOutside, uint64(max(int64(d.Total), 0)))
		e.setOutside(e.spans[span], d)
		e.finish(span)
	}
}

// beginSite adds a span that stands for a site.
func (e *spanEncoder) beginSite(parent, block int, role string, total uint64) int {
	site := e.window.profile.Blocks[block].Site
	i := e.begin(parent, site.Name, role, total)
	e.blocks[i] = block
	if site.Kind <= core.KindConsumer {
		e.spans[i].Kind = tracepb.Span_SpanKind(site.Kind)
	}
	before := e.size
	if e.ofSite[block] == nil {
		e.ofSite[block] = e.siteAttributes(site)
		e.siteSizes[block] = e.size - before
	}
	e.size = before + e.siteSizes[block]
	e.spans[i].Attributes = append(e.spans[i].Attributes, e.ofSite[block]...)
	return i
}

func (e *spanEncoder) trackAttributes(service, track string) []*commonpb.KeyValue {
	list := []*commonpb.KeyValue{}
	if service != "" {
		list = append(list, e.text(attrService, service))
	}
	return append(list, e.text(attrTrack, track))
}

func (e *spanEncoder) siteAttributes(s core.Site) []*commonpb.KeyValue {
	list := e.trackAttributes(s.Service, s.Track)
	if s.Name == "" {
		list = append(list, e.text(attrName, ""))
	}
	if s.Kind > core.KindConsumer {
		list = append(list, e.text(attrKind, s.Kind.String()))
	}
	if s.Function != "" {
		list = append(list, e.text(attrFunction, s.Function))
	}
	if s.File != "" {
		list = append(list, e.text(attrFile, s.File))
	}
	if s.Line != 0 {
		list = append(list, e.int(attrLine, int64(s.Line)))
	}
	return slices.Clip(list)
}

// describeWindow adds what is not about a site. Its size is what e.size then is.
func (e *spanEncoder) describeWindow(span *tracepb.Span, shift int) {
	w, s := e.window, e.window.profile
	e.size = 0
	e.add(span, e.int(attrVersion, formatVersion))
	e.add(span, e.int(attrScale, core.Scale))
	e.add(span, e.int(attrSpans, int64(len(e.spans))))
	e.add(span, e.int(attrNodes, int64(len(s.Nodes))))
	e.addNonZero(span, attrFolded, int64(w.folded))
	e.addNonZero(span, attrShift, int64(shift))
	e.addNonZero(span, attrUndelivered, int64(w.undelivered))
	temporality := temporalityDelta
	if w.cumulative {
		temporality = temporalityCumulative
	}
	e.add(span, e.text(attrTemporality, temporality))
	if w.restarted != "" {
		e.add(span, e.text(attrRestarted, validText(w.restarted)))
	}
	if len(s.Names) > 0 {
		e.add(span, e.texts(attrProfiles, s.Names))
	}
	if len(s.DisabledTracks) > 0 {
		e.add(span, e.texts(attrDisabledTracks, s.DisabledTracks))
	}
	if !s.Start.IsZero() {
		e.add(span, e.int(attrStart, s.Start.UnixNano()))
	}
	if !s.End.IsZero() {
		e.add(span, e.int(attrEnd, s.End.UnixNano()))
	}
	for _, c := range counters {
		e.addNonZero(span, prefixCounters+c.name, int64(*c.field(&s.Counters)))
	}
	total := s.Total()
	e.setSummary(span, &total)
}
