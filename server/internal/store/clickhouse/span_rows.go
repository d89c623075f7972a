package clickhouse

import (
	"fmt"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// spanRows are rows of otel_traces, by column. Their memory is used for one parcel after the other.
type spanRows struct {
	timestamp                      times
	trace, span, parent, state     texts
	name, kind, service            words
	resource, scopeAttributes      attributes
	scopeName, scopeVersion        texts
	attributes                     attributes
	duration                       proto.ColUInt64
	status                         words
	message                        texts
	eventTime                      lists[*times]
	eventName                      lists[*words]
	eventAttributes                lists[*attributes]
	linkTrace, linkSpan, linkState lists[*texts]
	linkAttributes                 lists[*attributes]
	rawSpan                        texts
	rawResource, rawScope          words
	order                          proto.ColUInt64
	index, part                    proto.ColUInt32
	node                           words
	uncounted                      proto.ColUInt8

	// input are the columns by name.
	input proto.Input
	read  otlp.Columns
	// remainder is that of the span read last, scratch memory to make it in.
	remainder, scratch []byte
	origins            []originRow
}

// originRow is what rows of one origin have in common. It is read when the first of them is added, and then is where that one's
// resource and scope are.
type originRow struct {
	otlp.OriginColumns
	added                     bool
	resource, scopeAttributes stretch
	rawResource, rawScope     uint32
}

func newSpanRows() *spanRows {
	r := &spanRows{}
	r.eventTime.elements, r.eventName.elements, r.eventAttributes.elements = &times{}, &words{}, &attributes{}
	r.linkTrace.elements, r.linkSpan.elements, r.linkState.elements = &texts{}, &texts{}, &texts{}
	r.linkAttributes.elements = &attributes{}
	r.input = proto.Input{
		{Name: "Timestamp", Data: &r.timestamp}, {Name: "TraceId", Data: &r.trace}, {Name: "SpanId", Data: &r.span},
		{Name: "ParentSpanId", Data: &r.parent}, {Name: "TraceState", Data: &r.state}, {Name: "SpanName", Data: &r.name},
		{Name: "SpanKind", Data: &r.kind}, {Name: "ServiceName", Data: &r.service},
		{Name: "ResourceAttributes", Data: &r.resource}, {Name: "ScopeName", Data: &r.scopeName},
		{Name: "ScopeVersion", Data: &r.scopeVersion}, {Name: "SpanAttributes", Data: &r.attributes},
		{Name: "Duration", Data: &r.duration}, {Name: "StatusCode", Data: &r.status}, {Name: "StatusMessage", Data: &r.message},
		{Name: "Events.Timestamp", Data: &r.eventTime}, {Name: "Events.Name", Data: &r.eventName},
		{Name: "Events.Attributes", Data: &r.eventAttributes},
		{Name: "Links.TraceId", Data: &r.linkTrace}, {Name: "Links.SpanId", Data: &r.linkSpan},
		{Name: "Links.TraceState", Data: &r.linkState}, {Name: "Links.Attributes", Data: &r.linkAttributes},
		{Name: "OtelprofSpan", Data: &r.rawSpan}, {Name: "OtelprofResource", Data: &r.rawResource},
		{Name: "OtelprofScope", Data: &r.rawScope}, {Name: "OtelprofScopeAttributes", Data: &r.scopeAttributes},
		{Name: "OtelprofOrder", Data: &r.order}, {Name: "OtelprofIndex", Data: &r.index}, {Name: "OtelprofNode", Data: &r.node},
		{Name: "OtelprofPart", Data: &r.part}, {Name: "OtelprofUncounted", Data: &r.uncounted},
	}
	return r
}

// kinds and statuses are the texts by which the Collector's exporter has them.
var (
	kinds    = [...]string{"Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"}
	statuses = [...]string{"Unset", "Ok", "Error"}
)

// fill turns the spans of a parcel into rows, in the place of those before.
func (r *spanRows) fill(p *parcel) error {
	for i := range r.input {
		r.input[i].Data.(column).Reset()
	}
	r.origins = append(r.origins[:0], make([]originRow, len(p.segment.Origins))...)
	node := []byte(p.node)
	for i := range p.segment.Traces {
		t := &p.segment.Traces[i]
		for n, s := range t.Spans {
			if err := r.add(t.ID, s.Raw); err != nil {
				return fmt.Errorf("trace %s: %w", t.ID, err)
			}
			r.addOrigin(&r.origins[s.Origin], &p.segment.Origins[s.Origin])
			r.trace.addHex(t.ID[:])
			r.order, r.index = append(r.order, p.order), append(r.index, uint32(n))
			r.node.add(node)
			r.part, r.uncounted = append(r.part, p.part[i]), append(r.uncounted, flag(t.Uncounted.Has(n)))
		}
	}
	return nil
}

// large reports whether the rows take more memory than is worth keeping for the next parcel: it grows with the messages, and with
// the attributes that resources repeat.
func (r *spanRows) large() bool {
	return cap(r.rawSpan.data)+cap(r.resource.values.data)+cap(r.attributes.values.data) > maxKept
}

// add appends what a Span message tells.
func (r *spanRows) add(trace core.TraceID, raw []byte) error {
	s := &r.read
	if err := s.Read(raw); err != nil {
		return err
	}
	r.timestamp.Append(store.Moment(s.Start))
	r.span.addHex(s.Span.Span[:])
	if s.Parent == (core.SpanID{}) {
		r.parent.add(nil)
	} else {
		r.parent.addHex(s.Parent[:])
	}
	r.state.add(s.TraceState)
	r.name.add(s.Name)
	r.kind.addWord(kinds[s.Kind])
	r.attributes.add(s.Attributes)
	r.duration = append(r.duration, uint64(max(s.Duration(), 0)))
	r.status.addWord(statuses[min(s.StatusCode, 2)])
	r.message.add(s.StatusMessage)
	r.addEvents(s.Events)
	r.addLinks(s.Links)
	r.remainder = appendRemainder(r.remainder[:0], raw, trace, s, &r.scratch)
	r.rawSpan.add(r.remainder)
	return nil
}

func (r *spanRows) addEvents(events []otlp.EventColumns) {
	for i := range events {
		r.eventTime.elements.Append(store.Moment(events[i].Time))
		r.eventName.elements.add(events[i].Name)
		r.eventAttributes.elements.add(events[i].Attributes)
	}
	r.eventTime.add()
	r.eventName.add()
	r.eventAttributes.add()
}

func (r *spanRows) addLinks(links []otlp.LinkColumns) {
	for i := range links {
		r.linkTrace.elements.addHex(links[i].Trace)
		r.linkSpan.elements.addHex(links[i].Span)
		r.linkState.elements.add(links[i].TraceState)
		r.linkAttributes.elements.add(links[i].Attributes)
	}
	r.linkTrace.add()
	r.linkSpan.add()
	r.linkState.add()
	r.linkAttributes.add()
}

// addOrigin appends what the origin of a span tells.
func (r *spanRows) addOrigin(o *originRow, from *store.Origin) {
	if !o.added {
		o.OriginColumns = otlp.ReadOrigin(from.Resource, from.Scope)
		o.added = true
		o.resource, o.scopeAttributes = r.resource.add(o.Attributes), r.scopeAttributes.add(o.ScopeAttributes)
		o.rawResource, o.rawScope = r.rawResource.add(from.Resource), r.rawScope.add(from.Scope)
	} else {
		r.resource.addAgain(o.resource)
		r.scopeAttributes.addAgain(o.scopeAttributes)
		r.rawResource.rows, r.rawScope.rows = append(r.rawResource.rows, o.rawResource), append(r.rawScope.rows, o.rawScope)
	}
	r.service.addWord(from.Service)
	r.scopeName.add(o.ScopeName)
	r.scopeVersion.add(o.ScopeVersion)
}
